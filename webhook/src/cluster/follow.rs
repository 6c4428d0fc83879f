//! The watches, and how their events reach the caches.

use std::{fmt, sync::Arc};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use podrole_identity::{
    AnnotationRules, GuardRail, ROLE_MAP_KEY, ROLE_MAP_NAME, RoleMap, ServiceAccountError,
    ServiceAccountRef,
};
use podrole_runtime::latest::Latest;

use super::errors::with_root;
use crate::{
    Metrics,
    cache::{Cache, SharedCache, VersionedAnnotations},
    config_map,
    metrics::Watch,
    namespaces::NamespaceCache,
};

/// Metadata is all that is requested, because a ServiceAccount's role is in its annotations.
type ServiceAccountMeta = PartialObjectMeta<ServiceAccount>;
type NamespaceMeta = PartialObjectMeta<Namespace>;

/// Objects per page of a list, so that a large cluster's list is never held in memory whole.
const PAGE: u32 = 500;

/// Passes each event of a watch to `take`. Never returns: the stream reconnects by itself.
async fn follow<T: fmt::Debug>(
    what: Watch,
    metrics: &Metrics,
    events: impl Stream<Item = watcher::Result<Event<T>>>,
    mut take: impl FnMut(Event<T>),
) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                take(event);
                metrics.watch_event(what);
            }
            Err(error) => {
                metrics.watch_interrupted(what);
                let (watch, error) = (what.as_str(), with_root(&error));
                tracing::warn!(watch, error, "a watch was interrupted; retrying with backoff");
            }
        }
    }
}

fn pages() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

pub(super) async fn service_accounts(
    client: Client,
    cache: &SharedCache,
    reading: &AnnotationRules,
    metrics: &Metrics,
    listed: impl Fn(),
) {
    let events = watcher(Api::<ServiceAccountMeta>::all(client), pages()).default_backoff();
    let take = |event| {
        let complete = matches!(event, Event::InitDone);
        let listing = matches!(event, Event::Init | Event::InitApply(_));
        cache.change(|cache| {
            apply(cache, event, reading);
            if !listing {
                let (annotated, plain) = cache.sizes();
                metrics.cached("service_accounts_annotated", annotated);
                metrics.cached("service_accounts_plain", plain);
            }
        });
        if complete {
            listed();
        }
    };
    follow(Watch::ServiceAccounts, metrics, events, take).await;
}

/// A name that Kubernetes would not accept is skipped: no pod can use it.
fn apply(cache: &mut Cache, event: Event<ServiceAccountMeta>, reading: &AnnotationRules) {
    match event {
        Event::Init => cache.begin_list(),
        Event::InitDone => cache.end_list(),
        Event::InitApply(meta) => {
            if let Ok(service_account) = service_account(&meta) {
                cache.list(service_account, &versioned(meta, reading));
            }
        }
        Event::Apply(meta) => {
            if let Ok(service_account) = service_account(&meta) {
                cache.apply(service_account, &versioned(meta, reading));
            }
        }
        Event::Delete(meta) => {
            if let Ok(service_account) = service_account(&meta) {
                cache.delete(&service_account, version(&meta));
            }
        }
    }
}

pub(super) fn service_account(
    meta: &ServiceAccountMeta,
) -> Result<ServiceAccountRef, ServiceAccountError> {
    let namespace = meta.metadata.namespace.as_deref().unwrap_or_default();
    ServiceAccountRef::new(namespace, meta.metadata.name.as_deref().unwrap_or_default())
}

/// The resourceVersion as a number. Kubernetes calls it opaque, but for objects of one kind every
/// API server returns etcd's revision, which only grows; 0, older than all, for anything else.
fn version(meta: &ServiceAccountMeta) -> u64 {
    let version = meta.metadata.resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

pub(super) fn versioned(
    meta: ServiceAccountMeta,
    reading: &AnnotationRules,
) -> VersionedAnnotations {
    let version = version(&meta);
    let annotations = reading.read(meta.metadata.annotations.unwrap_or_default());
    VersionedAnnotations { version, annotations: Arc::new(annotations) }
}

pub(super) async fn namespaces(
    client: Client,
    namespaces: &NamespaceCache,
    metrics: &Metrics,
    listed: impl Fn(),
) {
    let events = watcher(Api::<NamespaceMeta>::all(client), pages()).default_backoff();
    let name = |meta: &NamespaceMeta| meta.metadata.name.clone().unwrap_or_default();
    let take = |event| {
        match event {
            Event::Init => namespaces.begin_list(),
            Event::InitApply(meta) => namespaces.list(name(&meta), guard_rail(&meta)),
            Event::InitDone => {
                namespaces.end_list();
                listed();
            }
            Event::Apply(meta) => namespaces.put(name(&meta), guard_rail(&meta)),
            Event::Delete(meta) => namespaces.remove(&name(&meta)),
        }
        metrics.cached("namespaces", namespaces.len());
    };
    follow(Watch::Namespaces, metrics, events, take).await;
}

pub(super) fn guard_rail(meta: &NamespaceMeta) -> GuardRail {
    let annotations = meta.metadata.annotations.as_ref();
    GuardRail::read(|key| annotations.and_then(|all| all.get(key)).map(String::as_str))
}

/// Follows the ConfigMap of roles. A list without it means that it was deleted while the watch was
/// down, and is treated as a deletion.
pub(super) async fn config_map(
    api: Api<ConfigMap>,
    roles: &Latest<RoleMap>,
    reading: &AnnotationRules,
    metrics: &Metrics,
    listed: impl Fn(),
) {
    let config = watcher::Config::default().fields(&format!("metadata.name={ROLE_MAP_NAME}"));
    let events = watcher(api, config).default_backoff();
    let mut listed_map = None;
    let put = |map: Option<ConfigMap>| {
        let text = map.and_then(|map| map.data?.remove(ROLE_MAP_KEY));
        config_map::update(roles, text.as_deref(), reading.composer.as_ref(), metrics);
    };
    let take = |event| match event {
        Event::Init => listed_map = None,
        Event::InitApply(map) => listed_map = Some(map),
        Event::InitDone => {
            put(listed_map.take());
            listed();
        }
        Event::Apply(map) => put(Some(map)),
        Event::Delete(_) => put(None),
    };
    follow(Watch::ConfigMap, metrics, events, take).await;
}
