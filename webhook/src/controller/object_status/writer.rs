//! Writes one status, and an Event if the object is accepted or refused by it.

use std::time::Duration;

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
use podrole_runtime::{clock, error_text::with_root, objects};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    conditions::{acceptance_changes, digest_of, status},
    queue::ObjectKey,
    verdict::Verdict,
};

/// The field manager, and who the Events are from.
const MANAGER: &str = "podrole-controller";
/// Where Events of objects without a namespace are.
const EVENTS_NAMESPACE: &str = "default";
/// How long the API server may take for one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest note of an Event.
const MAX_NOTE: usize = 1024;

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
        // As kubectl's own: the name of the object, cut to what fits, and a number.
        let short: String = name.chars().take(200).collect();
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
                name: Some(format!("{short}.{:x}", now.as_nanosecond())),
                namespace: Some(EVENTS_NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some("Judge".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(verdict.message.chars().take(MAX_NOTE).collect()),
            reason: Some(verdict.reason.to_owned()),
            regarding: Some(regarding),
            reporting_controller: Some(format!("{API_GROUP}/{MANAGER}")),
            reporting_instance: Some(self.identity.chars().take(128).collect()),
            type_: Some(if verdict.accepted { "Normal" } else { "Warning" }.to_owned()),
            ..Event::default()
        }
    }
}

async fn bounded<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, String> {
    match timeout(PATIENCE, request).await {
        Ok(answer) => answer.map_err(|error| with_root(&error)),
        Err(_) => Err("no answer within 5 s".to_owned()),
    }
}
