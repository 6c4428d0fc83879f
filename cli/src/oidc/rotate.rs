//! `podrole oidc rotate`: the next step of a rotation of the key that signs tokens.

mod distribution;
mod stage;

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use http::Uri;
use jiff::{SignedDuration, Timestamp};
use podrole_identity::{Audience, ServiceAccountRef};
use podrole_runtime::clock;

use self::{
    distribution::{Distribution, finding},
    stage::{Evidence, ServerEvidence, stage},
};
use super::{
    check,
    documents::{DISCOVERY, Discovery},
    issuer_url::{IssuerUrl, TrailingSlash},
    key::read_set,
    origin::Origin,
    publish::read_keep,
    publish_command::publish_command,
    records::{RECORDS, Records},
    report,
    source::read_all,
    target::Place,
    token::fresh,
};
use crate::{
    cluster::{ClusterArgs, Reader},
    report::{Finding, OutputArgs, ReportExit},
};

/// Say how far a rotation of the cluster's signing key is, and what to do next
///
/// Finds the stage by evidence: which key signs a fresh token of each API server, which keys each of them has,
/// and which are published since when. Changes nothing. The exit code is 0 if there is nothing to do, 10 while
/// something must be waited for, and 11 if it is your turn.
#[derive(Args, Debug)]
pub(crate) struct RotateArgs {
    /// Another API server of the same cluster. All of them must be named
    #[arg(long, value_name = "URL")]
    server: Vec<Uri>,

    /// Request a token of this ServiceAccount from each API server, to see the key that signs it
    #[arg(long, value_name = "NAMESPACE/SERVICEACCOUNT")]
    service_account: ServiceAccountRef,

    /// Read the published documents in this folder or s3://BUCKET/PREFIX, in place of the issuer's URL
    #[arg(long, value_name = "TARGET")]
    published: Option<Place>,

    /// The endpoint of an S3 that is not AWS's
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// The key that is to sign next, if it was published together with the current one
    #[arg(long, value_name = "KID")]
    next: Option<String>,

    /// When the last API server began to sign with the current key, for example 2026-11-30T12:00:00Z; without
    /// it, when the last API server was started, by its metrics
    #[arg(long, value_name = "TIME")]
    switched: Option<Timestamp>,

    /// How long `podrole oidc publish` keeps a key that is missing
    #[arg(long, value_name = "DURATION", default_value = "25h", value_parser = read_keep)]
    keep: SignedDuration,

    /// Name the files and commands of this distribution
    #[arg(long, value_enum, value_name = "NAME")]
    distribution: Option<Distribution>,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
///
/// # Errors
/// If the kubeconfig or the target cannot be used.
pub(crate) async fn run(args: &RotateArgs) -> anyhow::Result<ExitCode> {
    let readers = args.cluster.readers(&args.server).await?;
    let origin = Origin::open(args.published.as_ref(), args.endpoint_url.as_deref(), None).await?;
    let (evidence, publish) = match evidence(args, &readers, &origin).await {
        Ok(read) => read,
        Err(finding) => {
            let code = ReportExit::of([&*finding], args.output.strict).code();
            return report::print_with("OidcRotateReport", &[*finding], code, &args.output);
        }
    };
    let found = stage(&evidence);
    let it = finding(&found, args.distribution, &publish);
    report::print_with("OidcRotateReport", &[it], found.exit_code(), &args.output)
}

/// Reads everything, and makes the command that publishes; or says what could not be read.
async fn evidence(
    args: &RotateArgs,
    readers: &[(String, Reader)],
    origin: &Origin,
) -> Result<(Evidence, String), Box<Finding>> {
    let documents = read_all(readers).await.map_err(|error| Box::new(check::unread(&error)))?;
    let audience = Audience::sts();
    let mut servers = Vec::new();
    for ((name, reader), documents) in readers.iter().zip(&documents) {
        let token = fresh(reader, &args.service_account, &audience).await;
        let token = token.map_err(|error| unknown(format!("a token of {name}: {error}")))?;
        let keys = documents.keys.keys().cloned().collect();
        servers.push(ServerEvidence { name: name.clone(), keys, signs: token.kid });
    }
    let issuer = documents.first().map(|it| it.discovery.issuer.as_str()).unwrap_or_default();
    let (published, records) = published(origin, issuer)
        .await
        .map_err(|error| unknown(format!("the published documents: {error:#}")))?;
    let switched = match args.switched {
        Some(time) => Some(time),
        None => last_start(readers).await,
    };
    let (next, keep, now) = (args.next.clone(), args.keep, clock::now());
    let publish = publish_command(
        args.published.as_ref(),
        issuer,
        args.endpoint_url.as_deref(),
        &args.cluster,
        &args.server,
    );
    Ok((Evidence { servers, published, records, switched, next, keep, now }, publish))
}

fn unknown(message: String) -> Box<Finding> {
    Box::new(Finding::unknown(message))
}

/// The IDs of the published keys, and since when they are. Nothing may be published yet.
async fn published(origin: &Origin, issuer: &str) -> anyhow::Result<(BTreeSet<String>, Records)> {
    let issuer = IssuerUrl::read(issuer, TrailingSlash::Accepted)
        .with_context(|| format!("the issuer {issuer}"))?;
    let get = async |url: String| {
        let fetched = origin.fetch(&issuer, &url).await;
        fetched.map(|it| it.document).map_err(|error| anyhow::anyhow!(error.message))
    };
    let Some(discovery) = get(issuer.of_file(DISCOVERY)).await? else {
        return Ok((BTreeSet::new(), Records::default()));
    };
    let discovery = Discovery::read(&discovery.body)?;
    let keys = match get(discovery.jwks_uri).await? {
        Some(keys) => read_set(&keys.body)?.into_keys().collect(),
        None => BTreeSet::new(),
    };
    let records = match get(issuer.of_file(RECORDS)).await? {
        Some(records) => Records::read(&records.body).context(RECORDS)?,
        None => Records::default(),
    };
    Ok((keys, records))
}

/// When the last API server was started: its key is read then, and never again. `None` if one does not say.
async fn last_start(readers: &[(String, Reader)]) -> Option<Timestamp> {
    let mut last = None;
    for (_, reader) in readers {
        let metrics = reader.text("metrics").await.ok()?;
        last = last.max(Some(started(&metrics)?));
    }
    last
}

fn started(metrics: &str) -> Option<Timestamp> {
    let line = metrics.lines().find_map(|it| it.strip_prefix("process_start_time_seconds "))?;
    let seconds: f64 = line.trim().parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
    Timestamp::from_second(seconds.ceil() as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_say_when_an_api_server_was_started() {
        let metrics =
            "# HELP process_start_time_seconds x\nprocess_start_time_seconds 1.80000000034e+09\n";
        assert_eq!(started(metrics), Timestamp::from_second(1_800_000_001).ok());
        assert_eq!(started("a 1\n"), None);
    }
}
