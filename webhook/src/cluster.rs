//! The cluster: watches over ServiceAccounts, Namespaces and one ConfigMap, and live reads beside
//! them. Nothing outside this folder uses the Kubernetes client.

mod connect;
mod follow;
mod live;
mod registrations;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
pub use kube::Client;
use podrole_identity::{
    API_GROUP, AnnotationRules, Guardrails, Kind, NamespaceFacts, Patterns, RoleMap,
    ServiceAccountRef,
};
use podrole_runtime::{health::Gate, latest::Latest, objects};
use tokio_util::sync::CancellationToken;

pub use connect::{ConnectError, connect};
use live::LiveCluster;
pub(crate) use registrations::{ListError, registered};
pub use registrations::{configuration, selector};

use crate::{
    FoundAssociation, LookupError, Metrics, ServiceAccount, ServiceAccounts,
    associations::{AssociationCache, AssociationLookup},
    cache::SharedCache,
    lookup::Lookup,
    metrics::Source,
    namespaces::{NamespaceCache, Namespaces},
    sources::ConfiguredSources,
};

/// Gates that open once a watch's first list is complete.
#[derive(Clone)]
#[allow(missing_docs, reason = "the fields are named after what is listed")]
pub struct Listed {
    pub service_accounts: Gate,
    pub namespaces: Gate,
    /// `None` if associations are not followed.
    pub associations: Option<Gate>,
}

/// Watches the cluster's ServiceAccounts, Namespaces and associations until `shutdown`, and returns
/// the look-ups that they answer. `listed` opens with the first lists. `patterns` say which labels of
/// ServiceAccounts are kept.
pub fn watch(
    client: Client,
    reading: AnnotationRules,
    metrics: Metrics,
    listed: Listed,
    patterns: Option<Latest<Patterns>>,
    shutdown: CancellationToken,
) -> impl ServiceAccounts {
    let (cache, namespaces) = (SharedCache::default(), NamespaceCache::default());
    let associations = listed.associations.as_ref().map(|_| AssociationCache::default());
    let watching = {
        let (cache, namespaces, associations) =
            (cache.clone(), namespaces.clone(), associations.clone());
        let (client, reading, metrics) = (client.clone(), reading.clone(), metrics.clone());
        async move {
            let complete = || listed.service_accounts.open();
            let service_accounts =
                follow::service_accounts(client.clone(), &cache, &reading, &metrics, complete);
            let complete = || listed.namespaces.open();
            let namespaces = follow::namespaces(client.clone(), &namespaces, &metrics, complete);
            let associations = async {
                let followed = associations.as_ref().zip(listed.associations);
                let Some((associations, first_list)) = followed else { return };
                let errors = metrics.source_errors_gauge(Source::Associations);
                let kind = Kind::Association;
                let following = objects::Following { client, kind, errors, first_list };
                follow::associations(following, associations, &metrics).await;
            };
            tokio::join!(service_accounts, namespaces, associations, want_labels(&cache, patterns))
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
        associations: associations.map(|cache| {
            AssociationLookup::new(cache, namespaces.clone(), live.clone(), metrics.clone())
        }),
        lookup: Lookup::new(cache, namespaces.clone(), live.clone(), metrics),
        guard_rails: Namespaces::new(namespaces, live),
    }
}

/// Keeps the labels that the newest patterns select by.
async fn want_labels(cache: &SharedCache, patterns: Option<Latest<Patterns>>) {
    let Some(patterns) = patterns else { return };
    let mut changes = patterns.subscribe();
    loop {
        if let Some(patterns) = patterns.current() {
            cache.want_labels(patterns.label_keys());
        }
        if changes.changed().await.is_err() {
            return;
        }
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

/// Lists patterns and guard-rails once, for a command that ends. Without their CRDs there are none, and
/// those that the user may not read are left out with a warning.
///
/// # Errors
/// If they cannot be listed.
pub async fn selecting(client: &Client) -> anyhow::Result<(ConfiguredSources, Vec<String>)> {
    let mut warnings = Vec::new();
    let mut readable = |kind: Kind, listed: Result<Vec<_>, kube::Error>| match listed {
        Err(kube::Error::Api(status)) if status.code == 403 => {
            let plural = kind.plural();
            warnings.push(format!(
                "you may not list {plural}.{API_GROUP}, so they are not considered; ask for the \
                 ClusterRole view"
            ));
            Ok(Vec::new())
        }
        listed => listed,
    };
    let patterns = objects::list(client.clone(), Kind::Pattern).await;
    let patterns = readable(Kind::Pattern, patterns)?;
    let guardrails = objects::list(client.clone(), Kind::Guardrail).await;
    let guardrails = readable(Kind::Guardrail, guardrails)?;
    let sources = ConfiguredSources {
        patterns: Some(Latest::from(Patterns::read(objects::raw(&patterns)))),
        guardrails: Some(Latest::from(Guardrails::read(objects::raw(&guardrails)))),
        ..ConfiguredSources::default()
    };
    Ok((sources, warnings))
}

struct WatchedCluster {
    associations: Option<AssociationLookup<LiveCluster>>,
    lookup: Lookup<LiveCluster>,
    guard_rails: Namespaces<LiveCluster>,
}

impl ServiceAccounts for WatchedCluster {
    async fn find(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<Option<ServiceAccount>, LookupError> {
        let found = self.lookup.find(service_account, patience).await?;
        Ok(found.map(Arc::unwrap_or_clone))
    }

    async fn association(
        &self,
        service_account: &ServiceAccountRef,
        confirm: bool,
        patience: Duration,
    ) -> Result<FoundAssociation, LookupError> {
        match &self.associations {
            Some(associations) => {
                let confirm = confirm && !self.lookup.knows_role(service_account);
                associations.find(service_account, confirm, patience).await
            }
            None => Ok(None),
        }
    }

    async fn confirmed_association(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<FoundAssociation, LookupError> {
        match &self.associations {
            Some(associations) => associations.find(service_account, true, patience).await,
            None => Ok(None),
        }
    }

    async fn namespace_facts(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> Result<Arc<NamespaceFacts>, LookupError> {
        self.guard_rails.find(namespace, patience).await
    }
}

#[cfg(test)]
mod tests;
