//! The cluster: watches over ServiceAccounts, namespaces and the one ConfigMap, and live reads
//! beside them. Nothing else here knows the Kubernetes client.

mod connect;
mod follow;
mod registrations;

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
pub use kube::Client;
use kube::{Api, api::ListParams, core::PartialObjectMeta};
use podrole_identity::{PermittedRoles, ServiceAccountAnnotations, ServiceAccountRef};
use podrole_runtime::health::Gate;
use tokio_util::sync::CancellationToken;

pub use connect::{ConnectError, connect};
pub(crate) use registrations::{ListError, registered};
pub use registrations::{UnregisterError, unregister};

use crate::{
    LookupError, Metrics, Reading, ServiceAccounts,
    cache::{Seen, SharedCache},
    config_map::RoleMap,
    live_reads::{Live, Told},
    lookup::Lookup,
    namespaces::{GuardRails, LiveNamespace, Namespaces},
    sources::Latest,
};

/// Names and annotations, which is all that is asked for.
type Meta = PartialObjectMeta<ServiceAccount>;
type NamespaceMeta = PartialObjectMeta<Namespace>;

/// Open once a watch has told all that there was when it began.
#[derive(Clone)]
pub struct Listed {
    /// The ServiceAccounts.
    pub accounts: Gate,
    /// The namespaces.
    pub namespaces: Gate,
}

/// Watches the cluster's ServiceAccounts and namespaces until `shutdown`; `listed` opens with the
/// first lists. What comes back looks them up.
pub fn watch(
    client: Client,
    reading: Reading,
    metrics: Metrics,
    listed: Listed,
    shutdown: CancellationToken,
) -> impl ServiceAccounts {
    let (cache, namespaces) = (SharedCache::default(), Namespaces::default());
    let (filled, guarded, read_as) = (cache.clone(), namespaces.clone(), reading.clone());
    let (watched, counted) = (client.clone(), metrics.clone());
    tokio::spawn(async move {
        let whole = || listed.accounts.open();
        let accounts =
            follow::service_accounts(watched.clone(), &filled, &read_as, &counted, whole);
        let whole = || listed.namespaces.open();
        let namespaces = follow::namespaces(watched, &guarded, &counted, whole);
        tokio::select! {
            _ = async { tokio::join!(accounts, namespaces) } => {}
            () = shutdown.cancelled() => {}
        }
    });
    let live = Cluster { client, reading };
    Watched {
        lookup: Lookup::new(cache, live.clone(), metrics),
        guard_rails: GuardRails::new(namespaces, live),
    }
}

/// Watches the ConfigMap of roles in `namespace` until `shutdown`; `listed` opens when it, or its
/// absence, is known.
pub fn watch_config_map(
    client: Client,
    namespace: &str,
    reading: Reading,
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

/// Asks the cluster each time: for a command that ends, not for a daemon.
pub fn ask(client: Client, reading: Reading) -> impl ServiceAccounts {
    Cluster { client, reading }
}

struct Watched {
    lookup: Lookup<Cluster>,
    guard_rails: GuardRails<Cluster>,
}

impl ServiceAccounts for Watched {
    async fn find(
        &self,
        account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<Option<ServiceAccountAnnotations>, LookupError> {
        let found = self.lookup.look(account, patience).await?;
        Ok(found.map(Arc::unwrap_or_clone))
    }

    async fn permitted_roles(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> Result<PermittedRoles, LookupError> {
        self.guard_rails.permitted(namespace, patience).await
    }
}

/// What is at the bottom of an error: the client's own text stops at "client error".
fn root(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// Live reads.
#[derive(Clone)]
struct Cluster {
    client: Client,
    reading: Reading,
}

impl Live for Cluster {
    fn read(&self, account: &ServiceAccountRef) -> impl Future<Output = Told> + Send {
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), account.namespace());
        async move {
            // Without a resourceVersion the answer is the latest.
            let meta = accounts.get_metadata_opt(account.name()).await;
            let meta = meta.map_err(|error| failed(&error, "a ServiceAccount"))?;
            Ok(meta.map(|meta| follow::seen(meta, &self.reading)))
        }
    }

    fn list(
        &self,
        namespace: &str,
    ) -> impl Future<Output = Result<HashMap<ServiceAccountRef, Seen>, LookupError>> + Send {
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        async move {
            // Whole, and without a resourceVersion: the latest.
            let listed = accounts.list_metadata(&ListParams::default()).await;
            let listed = listed.map_err(|error| failed(&error, "a namespace's ServiceAccounts"))?;
            let known = listed.items.into_iter().filter_map(|meta| {
                let account = follow::account(&meta).ok()?;
                Some((account, follow::seen(meta, &self.reading)))
            });
            Ok(known.collect())
        }
    }
}

impl LiveNamespace for Cluster {
    async fn permitted_roles(
        &self,
        namespace: &str,
    ) -> Result<Option<PermittedRoles>, LookupError> {
        let meta = Api::<Namespace>::all(self.client.clone()).get_metadata_opt(namespace).await;
        let meta = meta.map_err(|error| {
            failed(&error, "a Namespace");
            LookupError::Namespace
        })?;
        Ok(meta.as_ref().map(follow::permitted))
    }
}

impl ServiceAccounts for Cluster {
    async fn find(
        &self,
        account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccountAnnotations>, LookupError> {
        let found = self.read(account).await?;
        Ok(found.map(|seen| Arc::unwrap_or_clone(seen.said)))
    }

    async fn permitted_roles(
        &self,
        namespace: &str,
        _patience: Duration,
    ) -> Result<PermittedRoles, LookupError> {
        let permitted = LiveNamespace::permitted_roles(self, namespace).await?;
        permitted.ok_or(LookupError::Namespace)
    }
}

fn failed(error: &kube::Error, what: &'static str) -> LookupError {
    let cause = root(error);
    tracing::warn!(%error, cause, "{what} could not be read");
    LookupError::Failed
}

#[cfg(test)]
mod tests;
