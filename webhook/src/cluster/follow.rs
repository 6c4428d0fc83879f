//! The watches, and how their events reach the caches.

use std::{collections::BTreeSet, fmt, sync::Arc};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{self as core, ConfigMap, Namespace};
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use podrole_identity::{
    AnnotationRules, Annotations, Association, InjectionDefault, NamespaceFacts, ROLE_MAP_KEY,
    ROLE_MAP_NAME, RoleMap, ServiceAccountError, ServiceAccountRef, Unreadable,
};
use podrole_runtime::{
    error_text::with_root,
    latest::Latest,
    objects::{self, SpecObject},
};

use crate::{
    Metrics, ServiceAccount,
    associations::AssociationCache,
    cache::{Cache, SharedCache, VersionedServiceAccount},
    config_map,
    metrics::Watch,
    namespaces::NamespaceCache,
};

/// Metadata is all that is requested, because a ServiceAccount's role is in its annotations.
type ServiceAccountMeta = PartialObjectMeta<core::ServiceAccount>;
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

/// Follows ServiceAccounts with the labels that patterns select by. A pattern that selects by another
/// label starts one more list. Until it is complete, every ServiceAccount is read live, within the
/// budget of live reads: of none is it known whether it has the label.
pub(super) async fn service_accounts(
    client: Client,
    cache: &SharedCache,
    reading: &AnnotationRules,
    metrics: &Metrics,
    listed: impl Fn(),
) {
    let mut wanted = cache.label_keys();
    loop {
        let keys = wanted.borrow_and_update().clone();
        let following =
            listed_service_accounts(client.clone(), cache, (reading, &keys), metrics, &listed);
        tokio::select! {
            () = following => return,
            changed = wanted.wait_for(|wanted| !wanted.is_subset(&keys)) => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn listed_service_accounts(
    client: Client,
    cache: &SharedCache,
    (reading, keys): (&AnnotationRules, &BTreeSet<String>),
    metrics: &Metrics,
    listed: impl Fn(),
) {
    let events = watcher(Api::<ServiceAccountMeta>::all(client), pages()).default_backoff();
    let take = |event| {
        let complete = matches!(event, Event::InitDone);
        let listing = matches!(event, Event::Init | Event::InitApply(_));
        cache.change(|cache| {
            apply(cache, event, reading, keys);
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
fn apply(
    cache: &mut Cache,
    event: Event<ServiceAccountMeta>,
    reading: &AnnotationRules,
    keys: &BTreeSet<String>,
) {
    let versioned = |mut meta: ServiceAccountMeta| {
        meta.metadata.labels.get_or_insert_default().retain(|key, _| keys.contains(key));
        versioned(meta, reading)
    };
    match event {
        Event::Init => cache.begin_list(keys.clone()),
        Event::InitDone => cache.end_list(),
        Event::InitApply(meta) => {
            if let Ok(service_account) = service_account(&meta) {
                cache.list(service_account, &versioned(meta));
            }
        }
        Event::Apply(meta) => {
            if let Ok(service_account) = service_account(&meta) {
                cache.apply(service_account, &versioned(meta));
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
) -> VersionedServiceAccount {
    let version = version(&meta);
    let annotations = reading.read(meta.metadata.annotations.unwrap_or_default());
    let labels = meta.metadata.labels.unwrap_or_default();
    VersionedServiceAccount { version, found: Arc::new(ServiceAccount { annotations, labels }) }
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
            Event::InitApply(meta) => namespaces.list(name(&meta), namespace_facts(&meta)),
            Event::InitDone => {
                namespaces.end_list();
                listed();
            }
            Event::Apply(meta) => namespaces.put(name(&meta), namespace_facts(&meta)),
            Event::Delete(meta) => namespaces.remove(&name(&meta)),
        }
        metrics.cached("namespaces", namespaces.len());
    };
    follow(Watch::Namespaces, metrics, events, take).await;
}

pub(super) fn namespace_facts(meta: &NamespaceMeta) -> NamespaceFacts {
    let labels = meta.metadata.labels.clone().unwrap_or_default();
    let none = Annotations::new();
    let annotations = meta.metadata.annotations.as_ref().unwrap_or(&none);
    // Which namespaces are injected is decided by the API server, which calls the webhook for them.
    NamespaceFacts::read(labels, annotations, InjectionDefault::Labelled)
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

/// Follows the cluster's PodIdentityAssociations.
pub(super) async fn associations(
    following: objects::Following,
    cache: &AssociationCache,
    metrics: &Metrics,
) {
    let objects::Following { client, kind, errors, first_list } = following;
    let mut events = std::pin::pin!(objects::events::<SpecObject>(client, kind, errors));
    while let Some(event) = events.next().await {
        let complete = matches!(event, Event::InitDone);
        match event {
            Event::Init => cache.begin_list(),
            Event::InitApply(object) => cache.list(object.name(), association(&object)),
            Event::InitDone => cache.end_list(),
            Event::Apply(object) => cache.put(object.name(), association(&object)),
            Event::Delete(object) => cache.remove(object.name()),
        }
        if complete {
            first_list.open();
        }
        metrics.cached("associations", cache.len());
    }
}

fn association(object: &SpecObject) -> Result<Association, Unreadable> {
    Association::read_object(object.name(), &object.spec)
}
