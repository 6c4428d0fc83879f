//! The cluster that the sandbox runs in, as a pod: its issuer and keys are asked of its API server.
//!
//! ```text
//!   the pod's token and CA ─► API server ─► /.well-known/openid-configuration: the issuer's URL
//!                                    └────► /openid/v1/jwks: keys, kept as any other issuer's
//! ```
//!
//! An issuer's URL is often one that only its own cluster can reach, or nobody: with kind and k3s
//! it is a name of the cluster's own DNS.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::discovery::{Discovery, api_server::ApiServer};

/// Where a kubelet puts a ServiceAccount's token and CA.
pub(crate) const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How long the API server is waited for at the start: a pod's network may come after the pod.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);

const MEND: &str = "the pod's ServiceAccount needs the ClusterRole system:service-account-issuer-discovery, and its token \
     mounted (automountServiceAccountToken)";

/// The cluster's issuer. What is known of its keys is known once, for all accounts.
pub(crate) struct InCluster {
    server: ApiServer,
    issuer: String,
    discovery: Discovery,
}

impl InCluster {
    /// Asks the API server of this pod for its issuer; waits for it, if need be.
    ///
    /// # Errors
    /// When this is no pod, or the API server does not say.
    pub(crate) async fn connect(folder: &Path) -> anyhow::Result<Self> {
        let variable = |name: &str| {
            std::env::var(name).with_context(|| format!("{name} is not set; this is no pod"))
        };
        let host = variable("KUBERNETES_SERVICE_HOST")?;
        let server = ApiServer::new(&host, &variable("KUBERNETES_SERVICE_PORT")?, folder);
        let started = Instant::now();
        loop {
            match server.issuer().await {
                Ok(issuer) => return Ok(Self { server, issuer, discovery: Discovery::default() }),
                Err(error) if started.elapsed() >= PATIENCE => anyhow::bail!("{error}; {MEND}"),
                Err(error) => tracing::warn!(%error, "the API server is asked again"),
            }
            sleep(PAUSE).await;
        }
    }

    /// Its issuer's URL: the `iss` of its tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What is known of its keys.
    pub(crate) fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// Its API server, which has the keys.
    pub(crate) fn api_server(&self) -> &ApiServer {
        &self.server
    }
}
