//! Writes one status, and an Event if the object is accepted or refused by it.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    api::{DynamicObject, Patch, PatchParams},
};
use podrole_identity::{API_GROUP, API_VERSION};
use podrole_runtime::{clock, objects};
use serde_json::{Value, json};

use super::{
    conditions::{acceptance_changes, digest_of, status},
    queue::ObjectKey,
    verdict::Verdict,
};
use crate::controller::{
    event::{MANAGER, Said, report},
    request::bounded,
};

/// Where Events of objects without a namespace are.
const EVENTS_NAMESPACE: &str = "default";

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
        let regarding = ObjectReference {
            api_version: object.types.as_ref().map(|it| it.api_version.clone()),
            kind: object.types.as_ref().map(|it| it.kind.clone()),
            name: object.metadata.name.clone(),
            uid: object.metadata.uid.clone(),
            resource_version: object.metadata.resource_version.clone(),
            ..ObjectReference::default()
        };
        let said = Said {
            action: "Judge",
            reason: verdict.reason,
            note: &verdict.message,
            is_warning: !verdict.accepted,
        };
        report(&self.client, &self.identity, EVENTS_NAMESPACE, regarding, &said).await;
    }
}
