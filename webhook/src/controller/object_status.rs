//! Writes the statuses of associations, patterns and guard-rails: whether each is accepted, and why not.
//!
//! ```text
//!   watches ─► Change ─► State (which status is wrong?) ─► at most 10 a second ─► Writer ─► API server
//! ```
//!
//! Only the replica with the Lease does this. Agents never write a status: ten thousand writers would
//! make a hot object of each.

mod conditions;
mod queue;
mod state;
mod verdict;
mod writer;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream::BoxStream};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{
    Api, Client, Resource,
    api::DynamicObject,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use podrole_identity::{GrantRules, InjectionDefault, Kind, NamespaceFacts, ServiceAccountRef};
use podrole_runtime::{error_text::with_root, objects};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use queue::ObjectKey;
use state::{Change, Seen, State};
use writer::{Writer, Written};

/// Between two writes.
const EACH: Duration = Duration::from_millis(100);
/// How many writes wait for the API server at once.
const AT_ONCE: usize = 8;
/// How often the Lease is looked at.
const POLL: Duration = Duration::from_secs(1);
/// Namespaces and ServiceAccounts per page of a list. Each may have 256 KiB of annotations, which any
/// tenant can write, and a page is in memory several times while it is read.
const PAGE: u32 = 20;

/// What the writes are reported to.
#[derive(Clone, Debug, Default)]
pub(super) struct StatusMetrics {
    /// How many statuses must be written.
    pub(super) due: Gauge,
    /// 1 while a watch fails, by the kind of its objects.
    pub(super) errors: Family<WatchLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WatchLabels {
    kind: &'static str,
}

impl StatusMetrics {
    fn error(&self, kind: &'static str) -> Gauge {
        self.errors.get_or_create(&WatchLabels { kind }).clone()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Associations, patterns and guard-rails whose status must be written";
        registry.register("podrole_controller_statuses_due", help, self.due.clone());
        let help = "1 while the objects that statuses follow from cannot be watched, by kind";
        registry.register("podrole_controller_watch_errors", help, self.errors.clone());
    }
}

/// What a watch shows.
enum Item {
    Change(Box<Change>),
    /// The first list of one watch is complete.
    Listed,
    /// A watch lists again: what was deleted meanwhile is not reported.
    ListsAgain,
}

/// Writes statuses whenever this replica `leads`. Never returns.
pub(super) async fn write_statuses(
    client: Client,
    identity: String,
    rules: GrantRules,
    leads: Arc<AtomicBool>,
    metrics: StatusMetrics,
) {
    let writer = Writer { client, identity };
    loop {
        if leads.load(Relaxed) {
            tenure(&writer, &rules, &leads, &metrics).await;
            metrics.due.set(0);
        }
        sleep(POLL).await;
    }
}

/// Works until the Lease is lost.
async fn tenure(writer: &Writer, rules: &GrantRules, leads: &AtomicBool, metrics: &StatusMetrics) {
    let watches = watches(&writer.client, metrics);
    let mut missing = watches.len();
    let mut items = pin!(futures::stream::select_all(watches));
    let (mut state, mut writes) = (State::new(rules.clone()), JoinSet::new());
    let mut outdated = true;
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while leads.load(Relaxed) {
        tokio::select! {
            item = items.next() => match item {
                Some(Item::Change(change)) => state.apply(*change),
                Some(Item::Listed) => missing = missing.saturating_sub(1),
                // All that is known is listed again.
                Some(Item::ListsAgain) | None => return,
            },
            Some(written) = writes.join_next(), if !writes.is_empty() => finish(&mut state, written),
            // Slice by slice, so that the Lease and the probes are not kept waiting.
            () = std::future::ready(()), if missing == 0 && outdated => outdated = state.step(),
            // Before all lists are complete, a status would be written twice.
            _ = ticks.tick() => {
                outdated = true;
                if missing == 0 && writes.len() < AT_ONCE {
                    begin(&mut state, writer, &mut writes);
                }
                metrics.due.set(i64::try_from(state.due()).unwrap_or(i64::MAX));
            }
        }
    }
}

type Finished = (ObjectKey, Result<Written, String>);

fn begin(state: &mut State, writer: &Writer, writes: &mut JoinSet<Finished>) {
    let Some(key) = state.pop(Instant::now()) else { return };
    let Some((verdict, generation)) = state.wanted(&key) else { return };
    let writer = writer.clone();
    writes.spawn(async move {
        let written = writer.write(&key, &verdict, generation).await;
        (key, written)
    });
}

fn finish(state: &mut State, written: Result<Finished, tokio::task::JoinError>) {
    let Ok((key, written)) = written else { return };
    match written {
        Ok(Written::Status(status)) => state.written(&key, &status),
        Ok(Written::Gone) => {}
        Err(error) => {
            let (kind, name) = (key.0, &*key.1);
            tracing::warn!(%kind, name, error, "could not write a status; writing it again");
            state.retry(key);
        }
    }
}

fn watches(client: &Client, metrics: &StatusMetrics) -> Vec<BoxStream<'static, Item>> {
    let objects = |kind: Kind| {
        items(
            objects::events(client.clone(), kind, metrics.error(kind.plural())),
            move |it| seen(kind, it),
            move |it| Some(Change::ObjectGone(kind, it.metadata.name.unwrap_or_default())),
        )
    };
    let namespaces = metadata::<Namespace>(client, metrics.error("namespaces"));
    let namespaces = items(namespaces, namespace, |it| it.metadata.name.map(Change::NamespaceGone));
    let service_accounts = metadata::<ServiceAccount>(client, metrics.error("serviceaccounts"));
    let service_accounts = items(
        service_accounts,
        |it| service_account(&it).map(Change::ServiceAccount),
        |it| service_account(&it).map(Change::ServiceAccountGone),
    );
    vec![
        objects(Kind::Association),
        objects(Kind::Pattern),
        objects(Kind::Guardrail),
        namespaces,
        service_accounts,
    ]
}

fn metadata<K>(
    client: &Client,
    errors: Gauge,
) -> impl Stream<Item = Event<PartialObjectMeta<K>>> + use<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().page_size(PAGE);
    let events = watcher(Api::<PartialObjectMeta<K>>::all(client.clone()), config);
    events.default_backoff().filter_map(move |event| {
        let event = event.inspect_err(|error| {
            let (kind, error) = (K::plural(&()), with_root(error));
            tracing::warn!(%kind, error, "could not watch what statuses follow from; retrying");
        });
        errors.set(i64::from(event.is_err()));
        std::future::ready(event.ok())
    })
}

/// The changes that a watch's events are.
fn items<T: Send + 'static>(
    events: impl Stream<Item = Event<T>> + Send + 'static,
    applied: impl Fn(T) -> Option<Change> + Send + 'static,
    deleted: impl Fn(T) -> Option<Change> + Send + 'static,
) -> BoxStream<'static, Item> {
    let mut listed = false;
    let changed = |change| Item::Change(Box::new(change));
    let items = events.filter_map(move |event| {
        let item = match event {
            Event::Init => listed.then_some(Item::ListsAgain),
            Event::InitApply(object) | Event::Apply(object) => applied(object).map(changed),
            Event::InitDone => (!std::mem::replace(&mut listed, true)).then_some(Item::Listed),
            Event::Delete(object) => deleted(object).map(changed),
        };
        std::future::ready(item)
    });
    items.boxed()
}

fn seen(kind: Kind, mut object: DynamicObject) -> Option<Change> {
    let spec = objects::take_spec(&mut object);
    let status = object.data.get_mut("status").map(Value::take).unwrap_or_default();
    Some(Change::Object(Seen {
        kind,
        name: object.metadata.name?,
        created: object.metadata.creation_timestamp.map(|time| time.0),
        generation: object.metadata.generation.unwrap_or_default(),
        spec,
        status,
    }))
}

fn namespace(object: PartialObjectMeta<Namespace>) -> Option<Change> {
    let metadata = object.metadata;
    let annotations = metadata.annotations.unwrap_or_default();
    let labels = metadata.labels.unwrap_or_default();
    let facts = NamespaceFacts::read(labels, &annotations, InjectionDefault::Labelled);
    Some(Change::Namespace(metadata.name?, facts))
}

fn service_account(object: &PartialObjectMeta<ServiceAccount>) -> Option<ServiceAccountRef> {
    let metadata = &object.metadata;
    ServiceAccountRef::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?).ok()
}
