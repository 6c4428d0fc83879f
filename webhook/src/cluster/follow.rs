//! The watches, and what becomes of their events.

use std::{fmt, sync::Arc};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use podrole_identity::{
    PERMITTED_ROLES_ANNOTATION, PermittedRoles, ServiceAccountError, ServiceAccountRef,
};

use super::{Meta, NamespaceMeta};
use crate::{
    Metrics, Reading,
    cache::{Cache, Seen, SharedCache},
    config_map::{self, RoleMap},
    metrics::Watch,
    namespaces::Namespaces,
    sources::Latest,
};

/// Objects asked for by the page, so that a large cluster's list is never held whole.
const PAGE: u32 = 500;

/// Follows a watch for ever; `take` says whether the event ended a list.
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
                metrics.heard(what);
            }
            Err(error) => {
                metrics.interrupted(what);
                let cause = super::root(&error);
                tracing::warn!(%error, cause, "the watch over {} was interrupted", what.as_str());
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
    reading: &Reading,
    metrics: &Metrics,
    listed: impl Fn(),
) {
    let events = watcher(Api::<Meta>::all(client), pages()).default_backoff();
    let take = |event| {
        let whole = matches!(event, Event::InitDone);
        let listing = matches!(event, Event::Init | Event::InitApply(_));
        cache.change(|cache| {
            take_account(cache, event, reading);
            if !listing {
                let (speaking, silent) = cache.sizes();
                metrics.cached("service_accounts_speaking", speaking);
                metrics.cached("service_accounts_silent", silent);
            }
        });
        if whole {
            listed();
        }
    };
    follow(Watch::ServiceAccounts, metrics, events, take).await;
}

fn take_account(cache: &mut Cache, event: Event<Meta>, reading: &Reading) {
    match event {
        Event::Init => cache.begin_list(),
        Event::InitDone => cache.end_list(),
        Event::InitApply(meta) => {
            if let Ok(account) = account(&meta) {
                cache.list(account, &seen(meta, reading));
            }
        }
        Event::Apply(meta) => {
            if let Ok(account) = account(&meta) {
                cache.apply(account, &seen(meta, reading));
            }
        }
        Event::Delete(meta) => {
            if let Ok(account) = account(&meta) {
                cache.delete(&account, version(&meta));
            }
        }
    }
}

pub(super) fn account(meta: &Meta) -> Result<ServiceAccountRef, ServiceAccountError> {
    let namespace = meta.metadata.namespace.as_deref().unwrap_or_default();
    ServiceAccountRef::new(namespace, meta.metadata.name.as_deref().unwrap_or_default())
}

/// Versions of one kind of object can be compared: etcd counts them up.
fn version(meta: &Meta) -> u64 {
    let version = meta.metadata.resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

pub(super) fn seen(meta: Meta, reading: &Reading) -> Seen {
    let version = version(&meta);
    let said = reading.read(meta.metadata.annotations.unwrap_or_default());
    Seen { version, said: Arc::new(said) }
}

pub(super) async fn namespaces(
    client: Client,
    namespaces: &Namespaces,
    metrics: &Metrics,
    listed: impl Fn(),
) {
    let events = watcher(Api::<NamespaceMeta>::all(client), pages()).default_backoff();
    let name = |meta: &NamespaceMeta| meta.metadata.name.clone().unwrap_or_default();
    let take = |event| {
        match event {
            Event::Init => namespaces.begin_list(),
            Event::InitApply(meta) => namespaces.list(name(&meta), permitted(&meta)),
            Event::InitDone => {
                namespaces.end_list();
                listed();
            }
            Event::Apply(meta) => namespaces.put(name(&meta), permitted(&meta)),
            Event::Delete(meta) => namespaces.remove(&name(&meta)),
        }
        metrics.cached("namespaces", namespaces.len());
    };
    follow(Watch::Namespaces, metrics, events, take).await;
}

pub(super) fn permitted(meta: &kube::core::PartialObjectMeta<Namespace>) -> PermittedRoles {
    let annotations = meta.metadata.annotations.as_ref();
    let guard_rail = annotations.and_then(|all| all.get(PERMITTED_ROLES_ANNOTATION));
    PermittedRoles::read(guard_rail.map(String::as_str))
}

/// Follows the one ConfigMap. A list without it says that it is gone, as a deletion does.
pub(super) async fn config_map(
    api: Api<ConfigMap>,
    roles: &Latest<RoleMap>,
    reading: &Reading,
    metrics: &Metrics,
    listed: impl Fn(),
) {
    let config = watcher::Config::default().fields(&format!("metadata.name={}", config_map::NAME));
    let events = watcher(api, config).default_backoff();
    let mut there = None;
    let put = |map: Option<ConfigMap>| {
        let text = map.and_then(|map| map.data?.remove(config_map::KEY));
        config_map::update(roles, text.as_deref(), reading.composer.as_ref(), metrics);
    };
    let take = |event| match event {
        Event::Init => there = None,
        Event::InitApply(map) => there = Some(map),
        Event::InitDone => {
            put(there.take());
            listed();
        }
        Event::Apply(map) => put(Some(map)),
        Event::Delete(_) => put(None),
    };
    follow(Watch::ConfigMap, metrics, events, take).await;
}
