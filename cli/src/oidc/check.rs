//! `podrole oidc check`.

mod findings;

use std::process::ExitCode;

use clap::Args;
use http::Uri;
use podrole_identity::{Audience, ServiceAccountRef};
use podrole_runtime::clock;

use self::findings::{Evidence, Published, PublishedKeys, findings};
use super::{
    documents::{DISCOVERY, Discovery, ServerDocuments},
    issuer_url::{IssuerUrl, TrailingSlash},
    key::read_set,
    origin::{FetchError, Origin},
    publish_command::publish_command,
    report,
    source::{SourceError, read_all},
    target::Place,
    token::fresh,
};
use crate::{
    cluster::ClusterArgs,
    report::{Finding, OutputArgs, State},
};

/// Check that AWS can verify the cluster's tokens with what is published
///
/// Compares the issuer of the API servers, of a fresh token and of the published documents, and the keys by
/// their IDs. Reads the issuer's public URL. Writes nothing, except that --service-account requests a token.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Another API server of the same cluster; may be repeated
    #[arg(long, value_name = "URL")]
    server: Vec<Uri>,

    /// Request a token of this ServiceAccount from each API server, to see its issuer and the key that signs it
    #[arg(long, value_name = "NAMESPACE/SERVICEACCOUNT")]
    service_account: Option<ServiceAccountRef>,

    /// The audience of that token
    #[arg(long, value_name = "AUDIENCE", default_value = podrole_identity::STS_AUDIENCE)]
    audience: Audience,

    /// Read the published documents in this folder or s3://BUCKET/PREFIX, in place of the issuer's URL
    #[arg(long, value_name = "TARGET")]
    published: Option<Place>,

    /// The endpoint of an S3 that is not AWS's
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// Read the issuer's URL by this proxy outside of your network, as AWS would see it
    #[arg(long, value_name = "PROXY", conflicts_with = "published")]
    from_outside: Option<String>,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command. The exit code is 1 if AWS would reject tokens, 3 if something could not be read.
///
/// # Errors
/// If the kubeconfig, the target or the proxy cannot be used.
pub(crate) async fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let readers = args.cluster.readers(&args.server).await?;
    let (endpoint, proxy) = (args.endpoint_url.as_deref(), args.from_outside.as_deref());
    let origin = Origin::open(args.published.as_ref(), endpoint, proxy).await?;
    let found = match read_all(&readers).await {
        Ok(servers) => {
            let mut tokens = Vec::new();
            if let Some(account) = &args.service_account {
                for (name, reader) in &readers {
                    tokens.push((name.clone(), fresh(reader, account, &args.audience).await));
                }
            }
            let published = published(&origin, &servers).await;
            let issuer = servers.first().map(|it| it.discovery.issuer.as_str());
            let publish = publish_command(
                args.published.as_ref(),
                issuer.unwrap_or_default(),
                endpoint,
                &args.cluster,
                &args.server,
            );
            findings(&Evidence { servers, tokens, published, publish, now: clock::now() })
        }
        Err(error) => vec![unread(&error)],
    };
    report::print("OidcCheckReport", &found, &args.output)
}

/// The finding for API servers that could not be read.
pub(crate) fn unread(error: &SourceError) -> Finding {
    let state = match error {
        SourceError::Unread(..) => State::Unknown,
        SourceError::Documents(_) => State::Error,
    };
    report::of_error(state, error)
}

/// Reads what is published for the first API server's issuer. `None` if it is no public URL.
async fn published(origin: &Origin, servers: &[ServerDocuments]) -> Option<Published> {
    let issuer = &servers.first()?.discovery.issuer;
    let issuer = IssuerUrl::read(issuer, TrailingSlash::Accepted).ok()?;
    Some(read(origin, &issuer).await.unwrap_or_else(Published::Unread))
}

async fn read(origin: &Origin, issuer: &IssuerUrl) -> Result<Published, FetchError> {
    let at = issuer.of_file(DISCOVERY);
    let fetched = origin.fetch(issuer, &at).await?;
    let Some(document) = fetched.document else { return Ok(Published::Nothing(at)) };
    let discovery = match Discovery::read(&document.body) {
        Ok(discovery) => discovery,
        Err(error) => return Ok(Published::Bad(at, error.to_string())),
    };
    let at = discovery.jwks_uri.clone();
    let keys = origin.fetch(issuer, &at).await?;
    let Some(keys) = keys.document else { return Ok(Published::Nothing(at)) };
    let not_json = [(issuer.of_file(DISCOVERY), document.is_json), (at.clone(), keys.is_json)];
    let not_json = not_json.into_iter().filter(|(_, is_json)| *is_json == Some(false));
    match read_set(&keys.body) {
        Ok(keys) => Ok(Published::Keys(PublishedKeys {
            issuer: discovery.issuer,
            at,
            keys,
            not_json: not_json.map(|(url, _)| url).collect(),
            date: fetched.date,
        })),
        Err(error) => Ok(Published::Bad(at, error.to_string())),
    }
}
