//! The Events that the controller writes.

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use podrole_identity::API_GROUP;
use podrole_runtime::clock;

use super::request::bounded;

/// The name of the controller: who the Events are from, and the field manager of what it applies.
pub(super) const MANAGER: &str = "podrole-controller";
/// The longest note of an Event, in bytes. Source: Kubernetes's validation of events.k8s.io/v1.
const MAX_NOTE: usize = 1024;
/// The longest identity of a reporter, in bytes. Source: the same.
const MAX_INSTANCE: usize = 128;
/// How much of the object's name the name of an Event has. A number follows, and 253 bytes are the most.
const MAX_NAME: usize = 200;

/// What an Event says.
pub(super) struct Said<'a> {
    pub(super) action: &'static str,
    pub(super) reason: &'a str,
    pub(super) note: &'a str,
    pub(super) is_warning: bool,
}

/// Writes an Event into a namespace, as the replica `identity`. One that is lost is logged.
pub(super) async fn report(
    client: &Client,
    identity: &str,
    namespace: &str,
    regarding: ObjectReference,
    said: &Said<'_>,
) {
    let event = event(identity, namespace, regarding, said, clock::now());
    let events = Api::<Event>::namespaced(client.clone(), namespace);
    if let Err(error) = bounded(events.create(&PostParams::default(), &event)).await {
        let object = event.regarding.and_then(|it| it.name);
        tracing::warn!(object, error, "could not write an Event");
    }
}

fn event(
    identity: &str,
    namespace: &str,
    regarding: ObjectReference,
    said: &Said<'_>,
    now: Timestamp,
) -> Event {
    let name = regarding.name.as_deref().unwrap_or_default();
    // As kubectl's own: the name of the object, cut to what fits, and a number. Each part between
    // dots must end with a letter or digit.
    let short = cut(name, MAX_NAME).trim_end_matches(['-', '.']);
    let event_name = format!("{short}.{:x}", now.as_nanosecond());
    Event {
        metadata: ObjectMeta {
            name: Some(event_name),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        action: Some(said.action.to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(cut(said.note, MAX_NOTE).to_owned()),
        reason: Some(said.reason.to_owned()),
        regarding: Some(regarding),
        reporting_controller: Some(format!("{API_GROUP}/{MANAGER}")),
        reporting_instance: Some(cut(identity, MAX_INSTANCE).to_owned()),
        type_: Some(if said.is_warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    }
}

/// The text's beginning, of at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(name: &str, message: &str) -> Event {
        let regarding =
            ObjectReference { name: Some(name.to_owned()), ..ObjectReference::default() };
        let said =
            Said { action: "Judge", reason: "NotPermitted", note: message, is_warning: true };
        event(&"i".repeat(200), "default", regarding, &said, Timestamp::from_second(1).unwrap())
    }

    #[test]
    fn an_event_fits_into_what_kubernetes_accepts() {
        for (name, short) in [
            ("team".to_owned(), "team".to_owned()),
            (format!("{}.{}", "n".repeat(199), "b".repeat(50)), "n".repeat(199)),
            (format!("{}--{}", "n".repeat(198), "b".repeat(50)), "n".repeat(198)),
        ] {
            let event = about(&name, "why");
            assert_eq!(event.metadata.name, Some(format!("{short}.3b9aca00")));
            assert_eq!(event.regarding.unwrap().name, Some(name));
        }
        let event = about("team", &"é".repeat(1000));
        assert_eq!(event.note.map(|note| note.len()), Some(1024));
        assert_eq!(event.reporting_instance.map(|it| it.len()), Some(128));
    }
}
