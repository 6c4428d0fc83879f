//! The cluster that the sandbox runs in, as a pod: its issuer and keys are asked of its API server.
//!
//! ```text
//!   the pod's token and CA ─► API server ─► /.well-known/openid-configuration: the issuer's URL
//!                                    └────► /openid/v1/jwks: keys, kept as any other issuer's
//! ```
//!
//! An issuer's URL is often one that only its own cluster can reach, or nobody: with kind and k3s
//! it is a name of the cluster's own DNS.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::{
    discovery::{Discovery, client::Documents},
    jwk::JwkSet,
};

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

/// How its API server is reached.
pub(crate) struct ApiServer {
    url: String,
    folder: PathBuf,
}

#[derive(serde::Deserialize)]
struct Document {
    issuer: String,
}

impl InCluster {
    /// Asks the API server of this pod for its issuer; waits for it, if need be.
    ///
    /// # Errors
    /// When this is no pod, or the API server does not say.
    pub(crate) async fn begin(folder: &Path) -> anyhow::Result<Self> {
        let variable = |name: &str| {
            std::env::var(name).with_context(|| format!("{name} is not set; this is no pod"))
        };
        let host = variable("KUBERNETES_SERVICE_HOST")?;
        let url = url(&host, &variable("KUBERNETES_SERVICE_PORT")?);
        let server = ApiServer { url, folder: folder.to_owned() };
        let started = Instant::now();
        loop {
            match server.issuer().await {
                Ok(issuer) => return Ok(Self { server, issuer, discovery: Discovery::default() }),
                Err(fault) if started.elapsed() >= PATIENCE => anyhow::bail!("{fault}; {MEND}"),
                Err(fault) => tracing::warn!(%fault, "the API server is asked again"),
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

    /// Its keys, as they are now.
    pub(crate) async fn keys(&self) -> Result<JwkSet, String> {
        self.server.get("/openid/v1/jwks").await
    }
}

impl ApiServer {
    async fn issuer(&self) -> Result<String, String> {
        let document: Document = self.get("/.well-known/openid-configuration").await?;
        Ok(document.issuer)
    }

    /// The files are read each time: a kubelet replaces both.
    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let read = |name: &str| {
            let file = self.folder.join(name);
            std::fs::read_to_string(&file).map_err(|fault| format!("{}: {fault}", file.display()))
        };
        let documents = Documents::of_a_cluster(&read("ca.crt")?)?;
        documents.get(&format!("{}{path}", self.url), Some(read("token")?.trim())).await
    }
}

fn url(host: &str, port: &str) -> String {
    // IPv6 stands between brackets in a URL, and without them in the variable.
    if host.contains(':') && !host.starts_with('[') {
        return format!("https://[{host}]:{port}");
    }
    format!("https://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_family_of_addresses_makes_a_url() {
        assert_eq!(url("10.96.0.1", "443"), "https://10.96.0.1:443");
        assert_eq!(url("fd00:10:96::1", "443"), "https://[fd00:10:96::1]:443");
        assert_eq!(url("[::1]", "6443"), "https://[::1]:6443");
    }

    #[tokio::test]
    async fn files_that_are_not_there_are_named() {
        let server = ApiServer { url: "https://127.0.0.1:1".to_owned(), folder: "/nowhere".into() };
        let fault = server.issuer().await.unwrap_err();
        assert!(fault.contains("/nowhere/ca.crt"), "{fault}");
    }
}
