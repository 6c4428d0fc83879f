//! A client for the cluster that the flags name.

use std::path::Path;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use podrole_runtime::kube_client::client;

/// A client could not be made: an error in podrole's own configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The kubeconfig could not be read, or is not valid.
    #[error("--kubeconfig {path}: {error}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        error: String,
    },
    /// The value of `--kube-api` is not a URL with a scheme and a host.
    #[error("--kube-api {url}: not a URL; give the API server's URL, like https://10.0.0.1:6443")]
    Url {
        /// The flag's value.
        url: String,
    },
    /// No flag names a cluster, and this process does not run in one.
    #[error("no cluster is configured ({0}); run in a pod, or give --kubeconfig")]
    NotConfigured(String),
    /// The configuration was read, but the client rejects it.
    #[error("could not use the cluster's configuration: {0}; check its certificates and URLs")]
    Client(String),
}

/// Makes a client for the cluster that the flags name, or else for the one that this process runs
/// in. Nothing is sent to the cluster yet.
///
/// # Errors
/// If no usable configuration is found.
pub async fn connect(
    kubeconfig: Option<&Path>,
    kube_api: Option<&str>,
) -> Result<Client, ConnectError> {
    let config = config(kubeconfig, kube_api).await?;
    client(&config).map_err(|error| ConnectError::Client(error.to_string()))
}

async fn config(kubeconfig: Option<&Path>, kube_api: Option<&str>) -> Result<Config, ConnectError> {
    let url = kube_api.filter(|url| !url.is_empty()).map(|text| {
        let url = text.parse::<axum::http::Uri>().ok();
        let url = url.filter(|url| url.scheme().is_some() && url.host().is_some());
        url.ok_or_else(|| ConnectError::Url { url: text.to_owned() })
    });
    let url = url.transpose()?;
    let Some(path) = kubeconfig.filter(|path| !path.as_os_str().is_empty()) else {
        return match url {
            Some(url) => Ok(Config::new(url)),
            None => Config::infer()
                .await
                .map_err(|error| ConnectError::NotConfigured(error.to_string())),
        };
    };
    let failed = |error: kube::config::KubeconfigError| ConnectError::Kubeconfig {
        path: path.display().to_string(),
        error: error.to_string(),
    };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options).await.map_err(failed)?;
    if let Some(url) = url {
        config.cluster_url = url;
    }
    Ok(config)
}
