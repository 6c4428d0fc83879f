//! The flags that name a cluster.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use http::Uri;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use podrole_runtime::kube_client::client;

use super::reader::Reader;

/// The cluster, and how long it may take.
#[derive(Args, Clone, Debug)]
pub(crate) struct ClusterArgs {
    /// The kubeconfig, in place of kubectl's; without any, the ServiceAccount of the pod that this runs in
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// The context in the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// How many seconds all reads together may take; one may take 5
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl ClusterArgs {
    /// A reader of the cluster, and the namespace of its context. Sends nothing yet.
    ///
    /// # Errors
    /// If the kubeconfig cannot be used: a usage error.
    pub(crate) async fn reader(&self) -> anyhow::Result<(Reader, String)> {
        let config = self.config().await?;
        let namespace = config.default_namespace.clone();
        let reader = Reader::new(connect(&config)?, Duration::from_secs(self.timeout));
        Ok((reader, namespace))
    }

    /// How long all reads together may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// Readers of several API servers of the cluster, each with its URL: the kubeconfig's, and those at `others`. They use
    /// the same CA and credentials.
    ///
    /// # Errors
    /// If the kubeconfig or a URL cannot be used: a usage error.
    pub(crate) async fn readers(&self, others: &[Uri]) -> anyhow::Result<Vec<(String, Reader)>> {
        let config = self.config().await?;
        let patience = Duration::from_secs(self.timeout);
        let urls = std::iter::once(&config.cluster_url).chain(others);
        let reader = |url: &Uri| {
            let mut config = config.clone();
            config.cluster_url = url.clone();
            let name = url.to_string().trim_end_matches('/').to_owned();
            anyhow::Ok((name, Reader::new(connect(&config)?, patience)))
        };
        urls.map(reader).collect()
    }

    async fn config(&self) -> anyhow::Result<Config> {
        let options =
            KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        if let Some(path) = &self.kubeconfig {
            let failed = || format!("--kubeconfig {}", path.display());
            let file = Kubeconfig::read_from(path).with_context(failed)?;
            return Config::from_custom_kubeconfig(file, &options).await.with_context(failed);
        }
        if self.context.is_some() {
            return Config::from_kubeconfig(&options).await.context("--context");
        }
        Config::infer().await.context("no cluster is configured; give --kubeconfig")
    }
}

fn connect(config: &Config) -> anyhow::Result<Client> {
    client(config)
        .map_err(|error| anyhow::anyhow!("could not use the cluster's configuration: {error}"))
}
