//! The cluster: a watch over ServiceAccounts, and live reads beside it. Nothing else here knows
//! the Kubernetes client.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use podrole_identity::{
    AnnotationPrefix, ServiceAccountAnnotations, ServiceAccountError, ServiceAccountRef,
};
use podrole_runtime::health::Gate;
use tokio_util::sync::CancellationToken;

use crate::{
    LookupFault, Metrics, ServiceAccounts,
    cache::{Cache, Seen},
    lookup::{Live, Lookup, SharedCache},
};

/// ServiceAccounts asked for by the page, so that a large cluster's list is never held whole.
const PAGE: u32 = 500;
/// How long the API server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Names and annotations, which is all that is asked for.
type Meta = PartialObjectMeta<ServiceAccount>;

/// Why the cluster cannot be reached. The fault is in our own configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The kubeconfig cannot be used.
    #[error("--kubeconfig {path}: {fault}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: String,
    },
    /// The URL is none.
    #[error("--kube-api {url}: write the API server's URL, like https://10.0.0.1:6443")]
    Url {
        /// What was written.
        url: String,
    },
    /// There is no configuration at all.
    #[error("no cluster is configured ({0}); run in a pod, or give --kubeconfig")]
    Nowhere(String),
    /// The client cannot be made of the configuration.
    #[error("the cluster's configuration cannot be used: {0}")]
    Client(String),
}

/// A client for the cluster that the flags name, else for the one that this process runs in.
/// Nothing is asked of the cluster yet.
///
/// # Errors
/// When there is no usable configuration.
pub async fn connect(
    kubeconfig: Option<&Path>,
    kube_api: Option<&str>,
) -> Result<Client, ConnectError> {
    let mut config = config(kubeconfig, kube_api).await?;
    config.connect_timeout = Some(CONNECT);
    Client::try_from(config).map_err(|fault| ConnectError::Client(fault.to_string()))
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
            None => Config::infer().await.map_err(|fault| ConnectError::Nowhere(fault.to_string())),
        };
    };
    let failed = |fault: kube::config::KubeconfigError| ConnectError::Kubeconfig {
        path: path.display().to_string(),
        fault: fault.to_string(),
    };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options).await.map_err(failed)?;
    if let Some(url) = url {
        config.cluster_url = url;
    }
    Ok(config)
}

/// Watches the cluster's ServiceAccounts until `shutdown`; `listed` opens with the first list.
/// What comes back looks them up.
pub fn watch(
    client: Client,
    prefix: AnnotationPrefix,
    metrics: Metrics,
    listed: Gate,
    shutdown: CancellationToken,
) -> impl ServiceAccounts {
    let cache = SharedCache::default();
    let (watched, filled, read_as) = (client.clone(), cache.clone(), prefix.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = follow(watched, &filled, &read_as, &listed) => {}
            () = shutdown.cancelled() => {}
        }
    });
    Lookup::new(cache, Cluster { client, prefix }, metrics)
}

async fn follow(client: Client, cache: &SharedCache, prefix: &AnnotationPrefix, listed: &Gate) {
    let config = watcher::Config::default().page_size(PAGE);
    let events = watcher(Api::<Meta>::all(client), config).default_backoff();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let whole = matches!(event, Event::InitDone);
                cache.change(|cache| take(cache, event, prefix));
                if whole {
                    listed.open();
                }
            }
            Err(fault) => {
                let cause = root(&fault);
                tracing::warn!(%fault, cause, "the watch over ServiceAccounts was interrupted");
            }
        }
    }
}

fn take(cache: &mut Cache, event: Event<Meta>, prefix: &AnnotationPrefix) {
    match event {
        Event::Init => cache.begin_list(),
        Event::InitDone => cache.end_list(),
        Event::InitApply(meta) => {
            if let Ok(account) = account(&meta) {
                cache.list(account, &seen(meta, prefix));
            }
        }
        Event::Apply(meta) => {
            if let Ok(account) = account(&meta) {
                cache.apply(account, &seen(meta, prefix));
            }
        }
        Event::Delete(meta) => {
            if let Ok(account) = account(&meta) {
                cache.delete(&account, version(&meta));
            }
        }
    }
}

fn account(meta: &Meta) -> Result<ServiceAccountRef, ServiceAccountError> {
    let namespace = meta.metadata.namespace.as_deref().unwrap_or_default();
    ServiceAccountRef::new(namespace, meta.metadata.name.as_deref().unwrap_or_default())
}

/// Versions of one kind of object can be compared: etcd counts them up.
fn version(meta: &Meta) -> u64 {
    let version = meta.metadata.resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

fn seen(meta: Meta, prefix: &AnnotationPrefix) -> Seen {
    Seen {
        version: version(&meta),
        said: Arc::new(ServiceAccountAnnotations::read(
            &meta.metadata.annotations.unwrap_or_default(),
            prefix,
        )),
    }
}

/// What is at the bottom of an error: the client's own text stops at "client error".
fn root(fault: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(fault), |fault| fault.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// Live reads.
struct Cluster {
    client: Client,
    prefix: AnnotationPrefix,
}

impl Live for Cluster {
    fn read(
        &self,
        account: &ServiceAccountRef,
    ) -> impl Future<Output = Result<Option<Seen>, LookupFault>> + Send {
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), account.namespace());
        async move {
            // Without a resourceVersion the answer is the latest.
            match accounts.get_metadata_opt(account.name()).await {
                Ok(meta) => Ok(meta.map(|meta| seen(meta, &self.prefix))),
                Err(fault) => {
                    let cause = root(&fault);
                    tracing::warn!(%account, %fault, cause, "a ServiceAccount could not be read");
                    Err(LookupFault::Failed)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
