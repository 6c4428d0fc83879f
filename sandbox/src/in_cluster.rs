//! `--in-cluster`: the sandbox runs as a pod, and accepts the tokens of its cluster.
//!
//! ```text
//!   the pod's token and CA ─► API server ─► /.well-known/openid-configuration: the issuer's URL
//!                                    └────► /openid/v1/jwks: keys, cached like any other issuer's
//! ```
//!
//! The keys come from the API server because the issuer's URL often cannot be reached: with kind and k3s
//! it is a name of the cluster's DNS.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::discovery::{Discovery, api_server::ApiServer};

/// Where the kubelet mounts a ServiceAccount's token and CA.
pub(crate) const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How long to wait for the API server at the start: a pod's network can be ready after the pod.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);

const HINT: &str = "bind the pod's ServiceAccount to the ClusterRole system:service-account-issuer-discovery and mount its token \
     mounted (automountServiceAccountToken)";

/// Retries a request to the API server for up to 30 s.
pub(crate) async fn retry<T, E: std::fmt::Display>(
    what: &'static str,
    request: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    let started = Instant::now();
    loop {
        match request().await {
            Err(error) if started.elapsed() < START_TIMEOUT => {
                tracing::warn!(what, %error, "could not get an answer of the API server; retrying");
            }
            done => return done,
        }
        sleep(PAUSE).await;
    }
}

/// The cluster's issuer. Its keys are cached once for all accounts.
pub(crate) struct InCluster {
    server: ApiServer,
    issuer: String,
    discovery: Discovery,
}

impl InCluster {
    /// Asks the API server for the cluster's issuer, and retries for up to 30 s.
    ///
    /// # Errors
    /// If this process is not in a pod, or the API server does not return its issuer.
    pub(crate) async fn connect(folder: &Path) -> anyhow::Result<Self> {
        let variable = |name: &str| {
            std::env::var(name)
                .with_context(|| format!("{name} is not set; --in-cluster only works in a pod"))
        };
        let host = variable("KUBERNETES_SERVICE_HOST")?;
        let server = ApiServer::new(&host, &variable("KUBERNETES_SERVICE_PORT")?, folder);
        let issuer = retry("ask for the issuer", || server.issuer()).await;
        let issuer = issuer.map_err(|error| anyhow::anyhow!("{error}; {HINT}"))?;
        Ok(Self { server, issuer, discovery: Discovery::default() })
    }

    /// The issuer's URL: the `iss` of the cluster's tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The cache of its keys.
    pub(crate) fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// The API server, which serves the issuer's keys.
    pub(crate) fn api_server(&self) -> &ApiServer {
        &self.server
    }
}
