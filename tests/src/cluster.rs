//! A real Kubernetes API server with its etcd, on loopback and free ports, without a node.
//!
//! Nothing but the API: no controllers, no scheduler, no kubelet. So there is no `default`
//! ServiceAccount (a test makes its own), and a pod that is stored stays `Pending`.

mod files;
mod start;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::sync::OnceCell;

use crate::process::{self, Process};

/// The issuer of the shared cluster's tokens: Kubernetes's own default.
pub const ISSUER: &str = "https://kubernetes.default.svc";

/// A running API server. Its processes end when it is dropped, or when the test binary ends.
#[derive(Debug)]
pub struct Cluster {
    /// Stopped first: it would wait a minute for etcd.
    api: Process,
    /// None where it has a predecessor, whose etcd it uses.
    etcd: Option<Process>,
    folder: PathBuf,
    url: String,
    issuer: String,
    shared: Shared,
}

/// What the API servers of one cluster share.
#[derive(Clone, Debug)]
struct Shared {
    etcd_url: String,
    /// The folder of the first, where its certificate and the administrator's token are.
    first: PathBuf,
    admin: String,
}

impl Cluster {
    /// The one that all tests of this binary share; the first to ask starts it, in about 7 s.
    ///
    /// # Errors
    /// If there is no kube-apiserver to be had, or it does not come up; the message says where
    /// its log is.
    pub async fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(ISSUER)).await
    }

    /// One of one's own, whose tokens name `issuer`.
    ///
    /// # Errors
    /// The same as [`Cluster::shared`].
    pub async fn start(issuer: &str) -> anyhow::Result<Self> {
        podrole_runtime::crypto::install();
        start::start(issuer).await
    }

    /// Another API server of the same cluster, as a control plane has one while it is renewed: it makes tokens with a new
    /// key, in the name of `issuer`, and takes those of its predecessor's own issuer and key too.
    ///
    /// # Errors
    /// The same as [`Cluster::shared`].
    pub async fn successor(&self, issuer: &str) -> anyhow::Result<Self> {
        start::successor(self, issuer).await
    }

    /// Another API server of the same cluster and issuer, which signs tokens with the key of `signing`, and takes those of
    /// `verifying`.
    ///
    /// # Errors
    /// The same as [`Cluster::shared`].
    pub async fn sibling(&self, signing: &Self, verifying: &[&Self]) -> anyhow::Result<Self> {
        start::sibling(self, signing, verifying).await
    }

    /// A client that may do everything. Each test makes its own: a client belongs to the runtime
    /// that it was made in.
    ///
    /// # Errors
    /// If the kubeconfig is gone.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let file = Kubeconfig::read_from(self.kubeconfig())?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// A kubeconfig that may do everything.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join(files::KUBECONFIG)
    }

    /// Writes a kubeconfig that acts with `token`, a ServiceAccount's perhaps.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn kubeconfig_with(&self, name: &str, token: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(format!("{name}.kubeconfig"));
        files::write_kubeconfig(&path, &self.url, &self.ca_file(), token)?;
        Ok(path)
    }

    /// Where it answers: `https://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The PEM file of the CA that signed its certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.shared.first.join(files::CA)
    }

    /// The issuer that its tokens name.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys that its tokens are signed with, as it publishes them.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn jwks(&self) -> anyhow::Result<serde_json::Value> {
        let request = http::Request::get("/openid/v1/jwks").body(Vec::new())?;
        let answer = self.client().await?.request_text(request).await?;
        serde_json::from_str(&answer).context("the key set is not JSON")
    }

    /// Where the logs of both processes are; removed at the end unless a test fails.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.folder
    }

    /// Keeps the logs beyond the end, and says where they are.
    pub fn keep_logs(&self) {
        process::keep(&self.folder);
        eprintln!("the API server's logs are kept: {}", self.folder.display());
    }
}
