//! Rotates podrole's own certificates. The replicas of a webhook share one CA, each serves a leaf
//! of its own, and the API server learns the CA from the `caBundle` of our configurations.
//!
//! Every two seconds each replica reads the Secret, takes the rotation step that is due unless
//! another replica took it, restores the bundle if it was overwritten, and checks that an API
//! server could connect. We poll because a watch can lose events; a poll costs three small reads.

use std::{sync::Arc, time::Duration};

use kube::Client;
use podrole_runtime::{clock::now, health::Gate};
use rustls::ServerConfig;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    CaBundle, Lifetimes, MintError, PathSegment, RotationStep,
    cluster::{Cluster, ClusterError, RotatorConfig, SharedSecret},
    leaf::{Expires, Leaf, LeafError},
    path_segment,
    self_check::self_check,
};

const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How many write conflicts in a row are logged as one warning. Replicas that race lose now and
/// then; 15 losses in a row (30 s) mean that something else keeps writing.
const CONFLICTS_BEFORE_WARNING: u32 = 15;

/// Why the certificates are not as they should be. Each poll tries again.
#[derive(Debug, thiserror::Error)]
enum RotatorError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Mint(#[from] MintError),
    #[error(transparent)]
    Leaf(#[from] LeafError),
    #[error("an API server could not connect with the published caBundle: {0}")]
    SelfCheck(std::io::Error),
}

/// Returns a TLS configuration that serves podrole's own certificate, and keeps it current until
/// `stop`. Waits until there is a first certificate; each failed attempt is logged. `certified` is
/// open while an API server could connect. `segment` is filled in before the first certificate.
pub async fn start_rotator(
    client: Client,
    config: RotatorConfig,
    lifetimes: Lifetimes,
    segment: PathSegment,
    certified: Gate,
    expires: Expires,
    stop: CancellationToken,
) -> Arc<ServerConfig> {
    let cluster = Cluster::new(client, config);
    let (last_known, conflicts) = (None, 0);
    let mut rotator =
        Rotator { cluster, lifetimes, segment, certified, expires, last_known, conflicts };
    let leaf = loop {
        match rotator.first_leaf().await {
            Ok(leaf) => break leaf,
            Err(error) => {
                tracing::warn!(%error, "could not issue the first serving certificate; retrying");
            }
        }
        sleep(POLL_INTERVAL).await;
    };
    let tls = Arc::clone(leaf.config());
    tokio::spawn(async move {
        tokio::select! {
            () = rotator.run(leaf) => {}
            () = stop.cancelled() => {}
        }
    });
    tls
}

/// The result of a poll that served a valid certificate.
enum Poll {
    /// The bundle in the API server matches the certificate.
    Published,
    /// The API server could not be reached, so its bundle is unknown.
    Unpublished,
}

struct Rotator {
    cluster: Cluster,
    lifetimes: Lifetimes,
    /// The secret part of the path. Once known, it replaces one that the Secret has lost.
    segment: PathSegment,
    certified: Gate,
    expires: Expires,
    /// The CAs of the last successful read. They replace a Secret whose content was lost, and sign
    /// while the API server is away.
    last_known: Option<CaBundle>,
    /// How many polls in a row lost a write conflict.
    conflicts: u32,
}

impl Rotator {
    async fn first_leaf(&mut self) -> Result<Leaf, RotatorError> {
        let ca_bundle = self.ca_bundle().await?;
        let names = self.cluster.names();
        Ok(Leaf::issue(&ca_bundle, &names, now(), &self.lifetimes, self.expires.clone())?)
    }

    async fn run(mut self, mut leaf: Leaf) {
        loop {
            match self.poll(&mut leaf).await {
                Ok(Poll::Published) => self.certified.open(),
                // The gate keeps its state: the last check still holds, and no new one is possible.
                Ok(Poll::Unpublished) => {}
                Err(error) => {
                    self.certified.close();
                    tracing::error!(
                        %error,
                        "could not verify the serving certificate; not ready until it is valid"
                    );
                }
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Takes the step that is due and renews the leaf. Without the API server the leaf is renewed
    /// with the last known CAs, because an outage may last longer than a leaf.
    async fn poll(&mut self, leaf: &mut Leaf) -> Result<Poll, RotatorError> {
        match self.publish().await {
            Ok(ca_bundle) => {
                self.conflicts = 0;
                self.renew(leaf, &ca_bundle).map(|()| Poll::Published)
            }
            Err(RotatorError::Cluster(error)) => {
                self.log_cluster_error(&error);
                let known = self.last_known.clone();
                let renewed = known.map_or(Ok(()), |known| self.renew(leaf, &known));
                renewed.map(|()| Poll::Unpublished)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the CAs and makes sure that our configurations contain them. The leaf is renewed only
    /// after this, so that an API server trusts a CA before it sees a certificate signed by it.
    async fn publish(&mut self) -> Result<CaBundle, RotatorError> {
        let ca_bundle = self.ca_bundle().await?;
        let segment = self.segment.get().unwrap_or_default();
        if self.cluster.publish(&ca_bundle.to_pem(), &segment).await? {
            tracing::info!("updated the caBundle and the paths of the webhook configurations");
        }
        Ok(ca_bundle)
    }

    fn renew(&self, leaf: &mut Leaf, ca_bundle: &CaBundle) -> Result<(), RotatorError> {
        let names = self.cluster.names();
        if leaf.renew(ca_bundle, &names, now(), &self.lifetimes)? {
            tracing::info!("issued a new serving certificate");
        }
        let name = names.first().map(String::as_str).unwrap_or_default();
        self_check(leaf.config(), &ca_bundle.to_pem(), name).map_err(RotatorError::SelfCheck)
    }

    fn log_cluster_error(&mut self, error: &ClusterError) {
        let conflict = matches!(error, ClusterError::Conflict);
        self.conflicts = if conflict { self.conflicts + 1 } else { 0 };
        // A single conflict is harmless: the replica that won did the same work.
        if !conflict || self.conflicts.is_multiple_of(CONFLICTS_BEFORE_WARNING) {
            tracing::warn!(
                %error,
                "could not rotate the certificates; serving the current one and retrying"
            );
        }
    }

    /// The CAs in the Secret, after the step that is due.
    async fn ca_bundle(&mut self) -> Result<CaBundle, RotatorError> {
        let shared = self.cluster.read().await?;
        let now = now();
        let segment = shared.segment.clone().or_else(|| self.segment.get());
        let segment = segment.map_or_else(path_segment::generate, Ok)?;
        let Some(ca_bundle) = self.stored_or_known(&shared) else {
            let minted = CaBundle::mint(now, &self.lifetimes)?;
            return self.write(shared, minted, &segment).await;
        };
        let step = ca_bundle.due(now, &self.lifetimes);
        let complete = !shared.unreadable && shared.segment.is_some();
        if step == RotationStep::Nothing && complete {
            return Ok(self.remember(ca_bundle, &segment));
        }
        tracing::info!(?step, "rotating the certificate authorities");
        let next = ca_bundle.step(step, now, &self.lifetimes)?;
        self.write(shared, next, &segment).await
    }

    fn stored_or_known(&self, shared: &SharedSecret) -> Option<CaBundle> {
        if shared.unreadable {
            tracing::warn!("could not parse the CAs in the Secret; replacing them");
        }
        shared.ca_bundle.clone().or_else(|| self.last_known.clone())
    }

    async fn write(
        &mut self,
        shared: SharedSecret,
        ca_bundle: CaBundle,
        segment: &str,
    ) -> Result<CaBundle, RotatorError> {
        self.cluster.write(shared, &ca_bundle, segment).await?;
        Ok(self.remember(ca_bundle, segment))
    }

    fn remember(&mut self, ca_bundle: CaBundle, segment: &str) -> CaBundle {
        self.segment.set(segment);
        self.last_known = Some(ca_bundle.clone());
        ca_bundle
    }
}
