//! Writes one status, and an Event if the object is accepted or refused by it.

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{DynamicObject, ObjectMeta, Patch, PatchParams, PostParams},
};
use podrole_identity::{API_GROUP, API_VERSION};
use podrole_runtime::{clock, objects};
use serde_json::{Value, json};

use super::{
    conditions::{acceptance_changes, digest_of, status},
    queue::ObjectKey,
    verdict::Verdict,
};
use crate::controller::request::bounded;

/// The field manager, and who the Events are from.
const MANAGER: &str = "podrole-controller";
/// Where Events of objects without a namespace are.
const EVENTS_NAMESPACE: &str = "default";
/// The longest note of an Event, in bytes. Source: Kubernetes's validation of events.k8s.io/v1.
const MAX_NOTE: usize = 1024;
/// The longest identity of a reporter, in bytes. Source: the same.
const MAX_INSTANCE: usize = 128;
/// How much of the object's name the name of an Event has. A number follows, and 253 bytes are the most.
const MAX_NAME: usize = 200;

/// Writes statuses as one replica.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) client: Client,
    /// The replica's name.
    pub(super) identity: String,
}

/// What became of a write.
pub(super) enum Written {
    /// The object has this status.
    Status(Value),
    Gone,
}

impl Writer {
    /// Makes the object's status that of the verdict.
    ///
    /// # Errors
    /// Says in one line what went wrong.
    pub(super) async fn write(
        &self,
        key: &ObjectKey,
        verdict: &Verdict,
        generation: i64,
    ) -> Result<Written, String> {
        let (kind, name) = (key.0, &*key.1);
        let api = objects::api(self.client.clone(), kind);
        let Some(object) = bounded(objects::get(&api, name)).await? else {
            return Ok(Written::Gone);
        };
        let before = object.data.get("status").unwrap_or(&Value::Null);
        let after = status(verdict, generation, before, clock::now());
        if digest_of(before) == digest_of(&after) {
            return Ok(Written::Status(after));
        }
        let applied = json!({"apiVersion": format!("{API_GROUP}/{API_VERSION}"),
            "kind": kind.as_str(), "metadata": {"name": name}, "status": after});
        let params = PatchParams::apply(MANAGER).force();
        bounded(api.patch_status(name, &params, &Patch::Apply(&applied))).await?;
        if acceptance_changes(before, &after) {
            self.report(&object, verdict).await;
        }
        Ok(Written::Status(after))
    }

    /// An Event that is lost is no reason to write the status again.
    async fn report(&self, object: &DynamicObject, verdict: &Verdict) {
        let now = clock::now();
        let name = object.metadata.name.clone().unwrap_or_default();
        let event = self.event(object, verdict, now);
        let events = Api::<Event>::namespaced(self.client.clone(), EVENTS_NAMESPACE);
        if let Err(error) = bounded(events.create(&PostParams::default(), &event)).await {
            tracing::warn!(object = name, error, "could not write an Event");
        }
    }

    fn event(&self, object: &DynamicObject, verdict: &Verdict, now: Timestamp) -> Event {
        let name = object.metadata.name.clone().unwrap_or_default();
        // As kubectl's own: the name of the object, cut to what fits, and a number. Each part between
        // dots must end with a letter or digit.
        let short = cut(&name, MAX_NAME).trim_end_matches(['-', '.']);
        let event_name = format!("{short}.{:x}", now.as_nanosecond());
        let regarding = ObjectReference {
            api_version: object.types.as_ref().map(|it| it.api_version.clone()),
            kind: object.types.as_ref().map(|it| it.kind.clone()),
            name: Some(name),
            uid: object.metadata.uid.clone(),
            resource_version: object.metadata.resource_version.clone(),
            ..ObjectReference::default()
        };
        Event {
            metadata: ObjectMeta {
                name: Some(event_name),
                namespace: Some(EVENTS_NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some("Judge".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(cut(&verdict.message, MAX_NOTE).to_owned()),
            reason: Some(verdict.reason.to_owned()),
            regarding: Some(regarding),
            reporting_controller: Some(format!("{API_GROUP}/{MANAGER}")),
            reporting_instance: Some(cut(&self.identity, MAX_INSTANCE).to_owned()),
            type_: Some(if verdict.accepted { "Normal" } else { "Warning" }.to_owned()),
            ..Event::default()
        }
    }
}

/// The text's beginning, of at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, message: &str) -> Event {
        let config = kube::Config::new("http://localhost".parse().unwrap());
        let client = Client::try_from(config).unwrap();
        let writer = Writer { client, identity: "i".repeat(200) };
        let object = DynamicObject::new(name, &objects::resource(podrole_identity::Kind::Pattern));
        let verdict = Verdict {
            accepted: false,
            reason: "NotPermitted",
            message: message.to_owned(),
            external_id: None,
            service_account_found: None,
        };
        writer.event(&object, &verdict, Timestamp::from_second(1).unwrap())
    }

    #[tokio::test]
    async fn an_event_fits_into_what_kubernetes_accepts() {
        for (name, short) in [
            ("team".to_owned(), "team".to_owned()),
            (format!("{}.{}", "n".repeat(199), "b".repeat(50)), "n".repeat(199)),
            (format!("{}--{}", "n".repeat(198), "b".repeat(50)), "n".repeat(198)),
        ] {
            let event = event(&name, "why");
            assert_eq!(event.metadata.name, Some(format!("{short}.3b9aca00")));
            assert_eq!(event.regarding.unwrap().name, Some(name));
        }
        let event = event("team", &"é".repeat(1000));
        assert_eq!(event.note.map(|note| note.len()), Some(1024));
        assert_eq!(event.reporting_instance.map(|it| it.len()), Some(128));
    }
}
