//! podrole's own kinds, followed in the same way by both daemons.

use std::{collections::HashMap, time::Duration};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
    core::{GroupVersionKind, Status},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use podrole_identity::{API_GROUP, API_VERSION, Guardrails, Kind, Patterns, RawObject, Unreadable};
use prometheus_client::metrics::gauge::Gauge;
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{error_text::root, health::Gate, latest::Latest};

/// Objects per page of a list.
const PAGE: u32 = 500;
/// Before a request that failed is made again.
const RETRY: Duration = Duration::from_secs(5);

/// One kind of the cluster's objects, and where its state is reported.
pub struct Following {
    /// The client.
    pub client: Client,
    /// The kind.
    pub kind: Kind,
    /// 1 while the watch fails.
    pub errors: Gauge,
    /// Opened by the first complete list.
    pub first_list: Gate,
}

/// The patterns as they are now, until `shutdown`; none until the first complete list.
#[must_use]
pub fn patterns(following: Following, shutdown: CancellationToken) -> Latest<Patterns> {
    follow(following, shutdown, |objects| {
        let patterns = Patterns::read(objects);
        warn_of_limit(Kind::Pattern, patterns.over_limit().len());
        patterns.unreadable().for_each(warn_of_unreadable);
        patterns
    })
}

/// The guard-rails as they are now, until `shutdown`; none until the first complete list.
#[must_use]
pub fn guardrails(following: Following, shutdown: CancellationToken) -> Latest<Guardrails> {
    follow(following, shutdown, |objects| {
        let guardrails = Guardrails::read(objects);
        warn_of_limit(Kind::Guardrail, guardrails.over_limit().count());
        guardrails.unreadable().for_each(warn_of_unreadable);
        guardrails
    })
}

/// The API's name of a kind.
#[must_use]
pub fn resource(kind: Kind) -> ApiResource {
    let named = GroupVersionKind::gvk(API_GROUP, API_VERSION, kind.as_str());
    ApiResource::from_gvk_with_plural(&named, kind.plural())
}

/// All objects of a kind.
#[must_use]
pub fn api(client: Client, kind: Kind) -> Api<DynamicObject> {
    Api::all_with(client, &resource(kind))
}

/// Gets an object, or `None` if there is none of this name.
///
/// # Errors
/// Also if the kind itself is not installed: that does not show that the object does not exist.
pub async fn get(
    api: &Api<DynamicObject>,
    name: &str,
) -> Result<Option<DynamicObject>, kube::Error> {
    match api.get(name).await {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if is_absent(&status, name) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Without the CRD the API server answers 404 too, but names no object.
fn is_absent(status: &Status, name: &str) -> bool {
    let named = status.details.as_ref().is_some_and(|details| details.name == name);
    status.code == 404 && named
}

/// All objects of a kind; none without its CRD.
///
/// # Errors
/// If the API server does not answer, or refuses.
pub async fn list(client: Client, kind: Kind) -> Result<Vec<DynamicObject>, kube::Error> {
    match api(client, kind).list(&ListParams::default()).await {
        Ok(list) => Ok(list.items),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What is read of objects.
pub fn raw(objects: &[DynamicObject]) -> impl Iterator<Item = RawObject<'_>> {
    objects.iter().map(|object| RawObject {
        name: object.metadata.name.as_deref().unwrap_or_default(),
        created: object.metadata.creation_timestamp.as_ref().map(|time| time.0),
        spec: object.data.get("spec").unwrap_or(&Value::Null),
    })
}

/// The spec of an object, which is removed from it.
pub fn take_spec(object: &mut DynamicObject) -> Value {
    object.data.get_mut("spec").map(Value::take).unwrap_or_default()
}

/// A list and its changes, again and again. An error is reported once, until the next event.
pub fn events(following: &Following) -> impl Stream<Item = Event<DynamicObject>> + use<> {
    let kind = following.kind;
    let config = watcher::Config::default().page_size(PAGE);
    let events = watcher(api(following.client.clone(), kind), config).default_backoff();
    let (errors, mut fails) = (following.errors.clone(), false);
    events.filter_map(move |event| {
        let event = match event {
            Ok(event) => {
                fails = false;
                errors.set(0);
                Some(event)
            }
            Err(error) => {
                errors.set(1);
                if !std::mem::replace(&mut fails, true) {
                    report(kind, is_missing(&error), &error);
                }
                None
            }
        };
        std::future::ready(event)
    })
}

/// Waits until objects of the kind can be read, for a reader that looks them up by name. What fails is
/// reported once.
pub async fn wait_until_readable(following: Following) {
    let Following { client, kind, errors, first_list } = following;
    let one = ListParams::default().limit(1);
    let mut fails = false;
    loop {
        match api(client.clone(), kind).list_metadata(&one).await {
            Ok(_) => break,
            Err(error) => {
                errors.set(1);
                if !std::mem::replace(&mut fails, true) {
                    let missing = matches!(&error, kube::Error::Api(status) if status.code == 404);
                    report(kind, missing, &error);
                }
                sleep(RETRY).await;
            }
        }
    }
    errors.set(0);
    first_list.open();
}

/// Whether the kind is not installed.
fn is_missing(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

fn report(kind: Kind, missing: bool, error: &dyn std::error::Error) {
    let crd = format!("{}.{API_GROUP}", kind.plural());
    if missing {
        tracing::error!(
            crd,
            "the CRD is not installed; install it with the chart's crds.install=true, or set \
             associationObjects.enabled=false; objects that were read before stay in force"
        );
    } else {
        let error = root(error);
        tracing::error!(crd, error, "could not watch objects; those that were read stay in force");
    }
}

fn warn_of_limit(kind: Kind, over: usize) {
    if over > 0 {
        tracing::warn!(%kind, over, "too many objects of this kind; the newest grant nothing");
    }
}

fn warn_of_unreadable(unreadable: &Unreadable) {
    tracing::warn!(error = %unreadable, "could not read an object");
}

/// Follows all objects of a kind, and puts what `read` makes of them into what it returns.
fn follow<T, F>(following: Following, shutdown: CancellationToken, read: F) -> Latest<T>
where
    T: PartialEq + Send + Sync + 'static,
    F: Fn(&mut dyn Iterator<Item = RawObject<'_>>) -> T + Send + 'static,
{
    let latest = Latest::default();
    let filled = latest.clone();
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let mut objects = Objects::default();
        let mut events = std::pin::pin!(events(&following));
        while let Some(event) = events.next().await {
            if objects.apply(event) {
                let read = read(&mut objects.raw());
                // A changed status is no change of what is granted.
                if filled.current().as_deref() != Some(&read) {
                    filled.set(read);
                }
                following.first_list.open();
            }
        }
    }));
    latest
}

/// All objects of a kind.
#[derive(Default)]
struct Objects {
    current: HashMap<String, Stored>,
    /// A list that is being read; the previous one is in force until it is complete.
    listing: HashMap<String, Stored>,
}

struct Stored {
    created: Option<Timestamp>,
    spec: Value,
}

impl Objects {
    /// Returns whether what is in force may have changed.
    fn apply(&mut self, event: Event<DynamicObject>) -> bool {
        let in_force = !matches!(event, Event::Init | Event::InitApply(_));
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => {
                let (name, stored) = store(object);
                self.listing.insert(name, stored);
            }
            Event::InitDone => self.current = std::mem::take(&mut self.listing),
            Event::Apply(object) => {
                let (name, stored) = store(object);
                self.current.insert(name, stored);
            }
            Event::Delete(object) => {
                self.current.remove(object.metadata.name.as_deref().unwrap_or_default());
            }
        }
        in_force
    }

    fn raw(&self) -> impl Iterator<Item = RawObject<'_>> {
        self.current.iter().map(|(name, stored)| RawObject {
            name,
            created: stored.created,
            spec: &stored.spec,
        })
    }
}

fn store(mut object: DynamicObject) -> (String, Stored) {
    let spec = take_spec(&mut object);
    let created = object.metadata.creation_timestamp.map(|time| time.0);
    (object.metadata.name.unwrap_or_default(), Stored { created, spec })
}
