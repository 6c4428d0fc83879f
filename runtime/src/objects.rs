//! podrole's own kinds, followed in the same way by both daemons.

mod spec_object;

use std::{fmt::Debug, time::Duration};

use futures::{Stream, StreamExt as _};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, ListParams, ObjectMeta},
    core::{GroupVersionKind, ListMeta, Status},
    runtime::{
        WatchStreamExt as _,
        reflector::{ObjectRef, store::Writer},
        watcher::{self, Event, watcher},
    },
};
use podrole_identity::{API_GROUP, API_VERSION, Guardrails, Kind, Patterns, RawObject, Unreadable};
use prometheus_client::metrics::gauge::Gauge;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{error_text::root, health::Gate, latest::Latest};
pub use spec_object::SpecObject;

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
    let warn = |patterns: &Patterns| {
        warn_of_limit(Kind::Pattern, patterns.over_limit().len());
        patterns.unreadable().for_each(warn_of_unreadable);
    };
    follow(following, shutdown, |objects| Patterns::read(raw(objects)), warn)
}

/// The guard-rails as they are now, until `shutdown`; none until the first complete list.
#[must_use]
pub fn guardrails(following: Following, shutdown: CancellationToken) -> Latest<Guardrails> {
    let warn = |guardrails: &Guardrails| {
        warn_of_limit(Kind::Guardrail, guardrails.over_limit().count());
        guardrails.unreadable().for_each(warn_of_unreadable);
    };
    follow(following, shutdown, |objects| Guardrails::read(raw(objects)), warn)
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
        Err(error) if is_not_found(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The parameters of the next page of a list, or `None` after the last one.
#[must_use]
pub fn next_page(params: ListParams, list: &ListMeta) -> Option<ListParams> {
    let token = list.continue_.as_deref().filter(|token| !token.is_empty())?;
    Some(params.continue_token(token))
}

/// What is read of objects.
pub fn raw<'a>(
    objects: impl IntoIterator<Item = &'a DynamicObject>,
) -> impl Iterator<Item = RawObject<'a>> {
    objects.into_iter().map(|object| RawObject {
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
pub fn events<K>(client: Client, kind: Kind, errors: Gauge) -> impl Stream<Item = Event<K>>
where
    K: Resource<DynamicType = ApiResource> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let config = watcher::Config::default().page_size(PAGE);
    let events = watcher(Api::all_with(client, &resource(kind)), config).default_backoff();
    let mut fails = false;
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
                    report(kind, is_not_found(&error), &error);
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
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            is_not_found(error)
        }
        _ => false,
    }
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
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

/// Follows all objects of a kind, and puts what `read` makes of them into what it returns; `warn` is for
/// each new value.
fn follow<T: PartialEq + Send + Sync + 'static>(
    following: Following,
    shutdown: CancellationToken,
    read: impl Fn(&mut dyn Iterator<Item = &DynamicObject>) -> T + Send + 'static,
    warn: impl Fn(&T) + Send + 'static,
) -> Latest<T> {
    let Following { client, kind, errors, first_list } = following;
    let latest = Latest::default();
    let filled = latest.clone();
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let mut writer = Writer::new(resource(kind));
        let store = writer.as_reader();
        let mut events = std::pin::pin!(events(client, kind, errors));
        while let Some(event) = events.next().await {
            if !apply(&mut writer, kind, event) {
                continue;
            }
            let value = read(&mut store.state().iter().map(|object| &**object));
            if filled.current().as_deref() != Some(&value) {
                warn(&value);
                filled.set(value);
            }
            first_list.open();
        }
    }));
    latest
}

/// Returns whether what is granted may have changed.
fn apply(writer: &mut Writer<DynamicObject>, kind: Kind, event: Event<DynamicObject>) -> bool {
    let event = event.modify(keep_what_is_read);
    // The controller writes each object's status.
    let is_known = matches!(&event, Event::Apply(object) if {
        let key = ObjectRef::from_obj_with(object, resource(kind));
        writer.as_reader().get(&key).is_some_and(|known| *known == *object)
    });
    writer.apply_watcher_event(&event);
    // While a list is read, the previous one is in force.
    !is_known && !matches!(event, Event::Init | Event::InitApply(_))
}

/// Removes what [`raw`] does not read.
fn keep_what_is_read(object: &mut DynamicObject) {
    object.data = json!({"spec": take_spec(object)});
    object.metadata = ObjectMeta {
        name: object.metadata.name.take(),
        creation_timestamp: object.metadata.creation_timestamp.take(),
        ..ObjectMeta::default()
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(role: &str, status: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"roleARN": role},
            "status": {"conditions": [{"reason": status}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_status_changes_nothing_and_a_list_counts_when_it_is_complete() {
        let mut writer = Writer::new(resource(Kind::Pattern));
        let store = writer.as_reader();
        let mut apply = |event| {
            let changed = super::apply(&mut writer, Kind::Pattern, event);
            let objects = store.state();
            let roles = raw(objects.iter().map(|it| &**it)).map(|it| it.spec["roleARN"].clone());
            (changed, roles.collect::<Vec<_>>())
        };
        assert_eq!(apply(Event::Init), (false, vec![]));
        assert_eq!(apply(Event::InitApply(object("x", ""))), (false, vec![]));
        assert_eq!(apply(Event::InitDone), (true, vec![json!("x")]));
        assert_eq!(apply(Event::Apply(object("x", "Valid"))), (false, vec![json!("x")]));
        assert_eq!(apply(Event::Apply(object("y", "Valid"))), (true, vec![json!("y")]));
        assert_eq!(apply(Event::Init), (false, vec![json!("y")]));
        assert_eq!(apply(Event::InitDone), (true, vec![]));
        assert_eq!(apply(Event::Apply(object("y", ""))), (true, vec![json!("y")]));
        assert_eq!(apply(Event::Delete(object("y", ""))), (true, vec![]));
    }
}
