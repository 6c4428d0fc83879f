//! Serves the certificate that the controller keeps in a Secret, and each later one. A listening
//! replica only reads: it never sees the CA's key, and changes nothing in the cluster.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use kube::Client;
use podrole_runtime::health::Gate;
use rustls::ServerConfig;
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Expires, PairError, PathSegment, Serving, cluster::follow::follow, leaf::Leaf,
    self_check::self_check,
};

/// How often the served certificate is checked again: it may have expired.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// The Secret with the serving certificate.
#[derive(Clone, Debug)]
pub struct ServingSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The name by which API servers call the webhook; the self-check does, too.
    pub host: String,
}

/// Why a certificate is not served.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Pair(#[from] PairError),
    #[error("could not set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("an API server could not connect with the published caBundle: {0}")]
    SelfCheck(std::io::Error),
}

/// Returns a TLS configuration that serves the certificate of the Secret, and keeps it current until
/// `stop`. Waits until there is a first one. `certified` is open while an API server could connect.
/// `segment` is filled in before the first certificate.
///
/// Returns `None` if it was stopped before there was one.
pub async fn follow_secret(
    client: Client,
    secret: ServingSecret,
    segment: PathSegment,
    certified: Gate,
    expires: Expires,
    stop: CancellationToken,
) -> Option<Arc<ServerConfig>> {
    let (send, first) = oneshot::channel();
    let follower =
        Follower { secret, segment, certified, expires, served: None, first: Some(send) };
    tokio::spawn(async move {
        tokio::select! {
            () = follower.run(client) => {}
            () = stop.cancelled() => {}
        }
    });
    first.await.ok()
}

struct Follower {
    secret: ServingSecret,
    segment: PathSegment,
    certified: Gate,
    expires: Expires,
    served: Option<Served>,
    first: Option<oneshot::Sender<Arc<ServerConfig>>>,
}

struct Served {
    leaf: Leaf,
    serving: Serving,
    config: Arc<ServerConfig>,
}

impl Follower {
    async fn run(mut self, client: Client) {
        let leaves = follow(client, &self.secret.namespace, &self.secret.name);
        let mut leaves = std::pin::pin!(leaves);
        let mut ticks = interval(CHECK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(leaf) = leaves.next() => self.take(leaf),
                _ = ticks.tick() => self.check(),
            }
        }
    }

    /// Serves a new content of the Secret, if it can be served; otherwise the current one stays.
    fn take(&mut self, leaf: Option<Leaf>) {
        let secret = format!("{}/{}", self.secret.namespace, self.secret.name);
        let Some(leaf) = leaf else {
            tracing::warn!(
                secret,
                "found no serving certificate; waiting until podrole-controller writes one"
            );
            return;
        };
        if self.served.as_ref().is_some_and(|served| served.leaf == leaf) {
            return;
        }
        match self.serve(leaf) {
            Ok(()) => {
                tracing::info!(secret, "serving the certificate of the Secret");
                self.certified.open();
            }
            Err(error) => {
                tracing::error!(secret, %error, "could not use the new serving certificate; waiting for another");
            }
        }
    }

    fn serve(&mut self, leaf: Leaf) -> Result<(), FollowError> {
        // It is checked before it is served, so that a bad one replaces nothing.
        let trial = Serving::new(&leaf.pair)?.server_config()?;
        self_check(&trial, &leaf.bundle, &self.secret.host).map_err(FollowError::SelfCheck)?;
        // The segment first: a caller that already knows the new path must not get 404.
        self.segment.set(&leaf.segment);
        self.expires.note(leaf.pair.expires_at());
        if let Some(served) = &mut self.served {
            served.serving.replace(&leaf.pair)?;
            served.leaf = leaf;
            return Ok(());
        }
        let serving = Serving::new(&leaf.pair)?;
        let config = serving.server_config()?;
        if let Some(first) = self.first.take() {
            let _ = first.send(Arc::clone(&config));
        }
        self.served = Some(Served { leaf, serving, config });
        Ok(())
    }

    /// Checks what is served: a certificate that was good expires.
    fn check(&self) {
        let Some(Served { leaf, config, .. }) = &self.served else { return };
        match self_check(config, &leaf.bundle, &self.secret.host) {
            Ok(()) => self.certified.open(),
            Err(error) => {
                self.certified.close();
                tracing::error!(
                    %error,
                    "could not verify the serving certificate; not ready until there is another"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use podrole_runtime::{clock::now, health::Health};

    use super::*;
    use crate::Authority;

    const HOST: &str = "podrole-webhook.podrole.svc";

    fn leaf(ca: &Authority, host: &str, segment: &str) -> Leaf {
        let pair = ca.issue(&[host], now(), Duration::from_secs(3600)).unwrap();
        Leaf { pair, bundle: ca.certificate_pem().to_owned(), segment: segment.to_owned() }
    }

    #[test]
    fn only_a_certificate_that_api_servers_would_accept_replaces_another() {
        let ca = Authority::mint("ours", now(), Duration::from_secs(3600)).unwrap();
        let (health, segment) = (Health::default(), PathSegment::default());
        let certified = health.gate("the serving certificate");
        let secret =
            ServingSecret { namespace: "podrole".into(), name: "s".into(), host: HOST.into() };
        let (expires, served) = (Expires::default(), None);
        let first = None;
        let path = segment.clone();
        let mut follower = Follower { secret, segment, certified, expires, served, first };
        let served = |follower: &Follower| follower.served.as_ref().map(|it| it.leaf.clone());
        follower.take(Some(leaf(&ca, "another.host", "bad")));
        follower.take(None);
        assert!(served(&follower).is_none() && !health.pending().is_empty());
        assert_eq!(path.strip("/bad/mutate"), None);
        let good = leaf(&ca, HOST, "good");
        follower.take(Some(good.clone()));
        assert!(served(&follower) == Some(good.clone()) && health.pending().is_empty());
        assert_eq!(path.strip("/good/mutate"), Some("/mutate"));
        let untrusted = Leaf { bundle: String::new(), ..leaf(&ca, HOST, "bad") };
        for bad in [Some(untrusted), Some(leaf(&ca, "another.host", "bad")), None] {
            follower.take(bad);
            assert!(served(&follower) == Some(good.clone()) && health.pending().is_empty());
            assert_eq!(path.strip("/good/mutate"), Some("/mutate"));
        }
        let next = leaf(&ca, HOST, "next");
        follower.take(Some(next.clone()));
        assert!(served(&follower) == Some(next));
        assert_eq!(path.strip("/next/mutate"), Some("/mutate"));
    }
}
