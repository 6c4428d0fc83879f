//! `podrole oidc publish`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use http::Uri;
use jiff::{SignedDuration, Timestamp};
use podrole_runtime::clock;

use super::{
    documents::{DISCOVERY, Discovery, ServerDocuments},
    issuer_url::TrailingSlash,
    key::read_set,
    publication::{Former, Layout, Publication, Refusal, layout, merged, text},
    records::{RECORDS, Records},
    report,
    source::{SourceError, read_all},
    target::{Place, Target, TargetError, dir::DirTarget, s3::S3Target},
};
use crate::{
    cluster::ClusterArgs,
    report::{Finding, OutputArgs, State},
};

/// Publish the cluster's OIDC documents where AWS reads them
///
/// Reads the issuer and the keys from the API servers, never from key files, and writes them to a folder or
/// to S3: the keys, then the discovery document, then podrole-keys.json, which records since when each key
/// is published. A key that all API servers lack stays published for --keep. Writes nothing if nothing has
/// changed.
#[derive(Args, Debug)]
pub(crate) struct PublishArgs {
    /// Where the issuer's URL is served from: a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "TARGET")]
    to: Place,

    /// The endpoint of an S3 that is not AWS's
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// Another API server of the same cluster, for example https://10.0.0.2:6443. All of them must be
    /// named while their keys differ
    #[arg(long, value_name = "URL")]
    server: Vec<Uri>,

    /// How long a key stays published after it was first missing. Injected tokens live 24 h at most
    #[arg(long, value_name = "DURATION", default_value = "25h", value_parser = read_keep)]
    keep: SignedDuration,

    /// Accept an issuer that ends with a slash, because the claim `iss` of tokens does too
    #[arg(long)]
    trailing_slash: bool,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// A duration of the flag --keep.
///
/// # Errors
/// If it is not a duration, or shorter than the longest life of a token.
pub(crate) fn read_keep(text: &str) -> Result<SignedDuration, String> {
    let keep: SignedDuration =
        text.parse().map_err(|_| "write a duration, for example 25h".to_owned())?;
    if keep < SignedDuration::from_hours(24) {
        return Err("a token may live 24h, so a key must be kept at least as long".to_owned());
    }
    Ok(keep)
}

/// Why nothing, or not everything, was published.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(
        "{place} {path}: {reason}; remove the file to publish without what was published before"
    )]
    Former { place: String, path: String, reason: String },
}

impl PublishError {
    fn finding(&self) -> Finding {
        let state = match self {
            Self::Source(SourceError::Unread(..)) => State::Unknown,
            _ => State::Error,
        };
        report::of_error(state, self)
    }
}

/// What a run has done.
struct Done {
    layout: Layout,
    publication: Publication,
    former: Former,
    written: Vec<String>,
}

/// Runs the command. The exit code is 1 if the documents cannot be published, 3 if an API server cannot be read.
///
/// # Errors
/// If the kubeconfig, the region or the AWS credentials cannot be used.
pub(crate) async fn run(args: &PublishArgs) -> anyhow::Result<ExitCode> {
    let servers = args.cluster.readers(&args.server).await?;
    let target = open(&args.to, args.endpoint_url.as_deref()).await?;
    let slash = if args.trailing_slash { TrailingSlash::Accepted } else { TrailingSlash::Refused };
    let published = async {
        let servers = read_all(&servers).await?;
        publish(&servers, &target, &args.to, (slash, args.keep), clock::now()).await
    };
    let findings = match published.await {
        Ok(done) => findings(&done, &args.to),
        Err(error) => vec![error.finding()],
    };
    report::print("OidcPublishReport", &findings, &args.output)
}

/// Opens a target. Sends nothing yet.
///
/// # Errors
/// If there are no region or AWS credentials.
pub(crate) async fn open(place: &Place, endpoint_url: Option<&str>) -> anyhow::Result<Target> {
    match place {
        Place::Dir(path) => {
            anyhow::ensure!(endpoint_url.is_none(), "--endpoint-url is for a target s3://...");
            Ok(Target::Dir(DirTarget::new(path)))
        }
        Place::S3 { bucket, prefix } => {
            let s3 = S3Target::from_environment(bucket, prefix, endpoint_url).await;
            Ok(Target::S3(Box::new(s3.with_context(|| place.to_string())?)))
        }
    }
}

async fn publish(
    servers: &[ServerDocuments],
    target: &Target,
    place: &Place,
    (slash, keep): (TrailingSlash, SignedDuration),
    now: Timestamp,
) -> Result<Done, PublishError> {
    let layout = layout(servers, slash)?;
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let paths = [layout.jwks_path.as_str(), DISCOVERY, RECORDS];
    let mut bodies = Vec::new();
    for path in paths {
        bodies.push(target.read(path).await?);
    }
    let body = |index: usize| bodies[index].as_ref().map(|it| it.body.as_slice());
    let bad = |path: &str, reason: String| PublishError::Former {
        place: place.to_string(),
        path: path.to_owned(),
        reason,
    };
    let keys = body(0).map(read_set).transpose();
    let discovery = body(1).map(Discovery::read).transpose();
    let records = body(2).map(Records::read).transpose();
    let former = Former {
        keys: keys.map_err(|error| bad(paths[0], error.to_string()))?,
        discovery: discovery.map_err(|error| bad(paths[1], error.to_string()))?,
        records: records.map_err(|error| bad(paths[2], error.to_string()))?.unwrap_or_default(),
    };
    let publication = merged(servers, &former, keep, now)?;
    let records = text(&serde_json::json!(publication.records));
    // A discovery document must not name keys that are not there yet; a lost record only keeps a key for longer.
    let texts = [&publication.jwks, &publication.discovery, &records];
    let mut written = Vec::new();
    for ((path, text), former) in paths.iter().zip(texts).zip(&bodies) {
        let is_current = former
            .as_ref()
            .is_some_and(|it| it.body == text.as_bytes() && it.is_json != Some(false));
        if !is_current {
            target.write(path, text).await?;
            written.push((*path).to_owned());
        }
    }
    Ok(Done { layout, publication, former, written })
}

fn findings(done: &Done, place: &Place) -> Vec<Finding> {
    let Done { layout, publication, former, written } = done;
    let mut findings = Vec::new();
    let files = written.join(", ");
    findings.push(Finding::ok(match written.as_slice() {
        [] => format!("{place} is up to date for the issuer {}", layout.issuer.as_str()),
        _ => format!("wrote {files} to {place} for the issuer {}", layout.issuer.as_str()),
    }));
    for key in &publication.records.keys {
        let is_new = former.keys.as_ref().is_none_or(|keys| !keys.contains_key(&key.kid));
        let how = match key.last_seen {
            Some(missing) => format!("kept; all API servers have lacked it since {missing}"),
            None if is_new => "new".to_owned(),
            None => format!("published since {}", key.first_seen),
        };
        findings.push(Finding::ok(format!("key {}: {how}", key.kid)));
    }
    let removed = publication.removed.iter();
    findings.extend(removed.map(|kid| Finding::ok(format!("key {kid}: removed"))));
    if publication.is_foreign {
        findings.push(
            Finding::new(
                State::Warning,
                "no key that was published before is this cluster's: it was rebuilt, or another cluster has the same issuer",
            )
            .fix("give each cluster an issuer of its own"),
        );
    }
    findings
}

#[cfg(test)]
mod tests;
