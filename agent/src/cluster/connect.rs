//! The client of the API server, with the configuration that the flags name.

use std::path::{Path, PathBuf};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use podrole_runtime::{error_text::one_line, kube_client::client};

/// Why there is no client of the API server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No usual configuration exists.
    #[error(
        "no cluster is configured; run in a pod with a ServiceAccount, or set --kubeconfig FILE"
    )]
    NotConfigured,
    /// The kubeconfig file cannot be used.
    #[error("--kubeconfig {}: {error}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: KubeconfigError,
    },
    /// The configuration is not one that a client can be built from.
    #[error("could not build the Kubernetes client: {0}")]
    Client(String),
}

/// A client with a kubeconfig file, or if there is none with the usual configuration: in-cluster, `KUBECONFIG`,
/// `~/.kube/config`.
pub(super) async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let config = match kubeconfig {
        Some(path) => read_kubeconfig(path).await?,
        None => Config::infer().await.map_err(|_| ConnectError::NotConfigured)?,
    };
    client(&config).map_err(|error| ConnectError::Client(one_line(&*error)))
}

async fn read_kubeconfig(path: &Path) -> Result<Config, ConnectError> {
    let failed = |error| ConnectError::Kubeconfig { path: path.to_owned(), error };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    config.map_err(failed)
}
