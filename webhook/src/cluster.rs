//! The cluster: watches over ServiceAccounts, Namespaces and one ConfigMap, and live reads beside
//! them. Nothing outside this folder uses the Kubernetes client.

mod connect;
mod errors;
mod follow;
mod live;
mod registrations;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
pub use kube::Client;
use podrole_identity::{
    AnnotationRules, GuardRail, RoleMap, ServiceAccountAnnotations, ServiceAccountRef,
};
use podrole_runtime::{health::Gate, latest::Latest};
use tokio_util::sync::CancellationToken;

pub use connect::{ConnectError, connect};
pub(crate) use errors::with_root;
use live::LiveCluster;
pub(crate) use registrations::{ListError, registered};

use crate::{
    LookupError, Metrics, ServiceAccounts,
    cache::SharedCache,
    lookup::Lookup,
    namespaces::{GuardRails, NamespaceCache},
};

/// Gates that open once a watch's first list is complete.
#[derive(Clone)]
#[allow(missing_docs, reason = "the fields are named after what is listed")]
pub struct Listed {
    pub service_accounts: Gate,
    pub namespaces: Gate,
}

/// Watches the cluster's ServiceAccounts and Namespaces until `shutdown`, and returns the look-ups
/// that they answer. `listed` opens with the first lists.
pub fn watch(
    client: Client,
    reading: AnnotationRules,
    metrics: Metrics,
    listed: Listed,
    shutdown: CancellationToken,
) -> impl ServiceAccounts {
    let (cache, namespaces) = (SharedCache::default(), NamespaceCache::default());
    let watching = {
        let (cache, namespaces) = (cache.clone(), namespaces.clone());
        let (client, reading, metrics) = (client.clone(), reading.clone(), metrics.clone());
        async move {
            let complete = || listed.service_accounts.open();
            let service_accounts =
                follow::service_accounts(client.clone(), &cache, &reading, &metrics, complete);
            let complete = || listed.namespaces.open();
            let namespaces = follow::namespaces(client, &namespaces, &metrics, complete);
            tokio::join!(service_accounts, namespaces)
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            _ = watching => {}
            () = shutdown.cancelled() => {}
        }
    });
    let live = LiveCluster::new(client, reading);
    WatchedCluster {
        lookup: Lookup::new(cache, namespaces.clone(), live.clone(), metrics),
        guard_rails: GuardRails::new(namespaces, live),
    }
}

/// Watches the ConfigMap of roles in `namespace` until `shutdown`. `listed` opens once the
/// ConfigMap, or its absence, is known.
pub fn watch_config_map(
    client: Client,
    namespace: &str,
    reading: AnnotationRules,
    metrics: Metrics,
    listed: Gate,
    shutdown: CancellationToken,
) -> Latest<RoleMap> {
    let roles = Latest::default();
    let (api, filled) = (Api::<ConfigMap>::namespaced(client, namespace), roles.clone());
    tokio::spawn(async move {
        let following = follow::config_map(api, &filled, &reading, &metrics, || listed.open());
        tokio::select! {
            () = following => {}
            () = shutdown.cancelled() => {}
        }
    });
    roles
}

/// Reads from the API server at each look-up, for a command that ends. A daemon needs [`watch`]:
/// without a cache, every pod costs two requests.
pub fn ask(client: Client, reading: AnnotationRules) -> impl ServiceAccounts {
    LiveCluster::new(client, reading)
}

struct WatchedCluster {
    lookup: Lookup<LiveCluster>,
    guard_rails: GuardRails<LiveCluster>,
}

impl ServiceAccounts for WatchedCluster {
    async fn find(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<Option<ServiceAccountAnnotations>, LookupError> {
        let found = self.lookup.find(service_account, patience).await?;
        Ok(found.map(Arc::unwrap_or_clone))
    }

    async fn guard_rail(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> Result<GuardRail, LookupError> {
        self.guard_rails.find(namespace, patience).await
    }
}

#[cfg(test)]
mod tests;
