//! When parts of an object were last changed, by its `managedFields`.
//!
//! The API server keeps one entry for each writer, with the time at which this writer last changed any of its fields.
//! So these times are upper bounds: a field may be older than its entry.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use podrole_identity::{CREDENTIALS_LABEL, INJECTION_LABEL, LabelTimes};

/// A map of an object's metadata.
#[derive(Clone, Copy)]
pub enum Map {
    /// Its labels.
    Labels,
    /// Its annotations.
    Annotations,
}

/// When the label or annotation was last changed, or `None` if no writer owns it. Writers that own it together agree
/// about its value, so it is as old as the oldest of their entries.
#[must_use]
pub fn key_changed(metadata: &ObjectMeta, map: Map, key: &str) -> Option<Timestamp> {
    let map = match map {
        Map::Labels => "f:labels",
        Map::Annotations => "f:annotations",
    };
    let key = format!("f:{key}");
    let owns = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().and_then(|it| it.0.get("f:metadata")?.get(map));
        fields.is_some_and(|fields| fields.get(&key).is_some())
    };
    metadata.managed_fields.iter().flatten().filter(owns).filter_map(time).min()
}

/// When anything but the object's status was last changed. Without an entry it is as old as the object.
#[must_use]
pub fn spec_changed(metadata: &ObjectMeta) -> Option<Timestamp> {
    let entries = metadata.managed_fields.iter().flatten();
    let writes = entries.filter(|entry| entry.subresource.as_deref() != Some("status"));
    let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
    writes.filter_map(time).max().or(created)
}

/// When the labels of a Namespace were last changed by which it asks for credentials.
#[must_use]
pub fn label_times(metadata: &ObjectMeta) -> LabelTimes {
    let changed = |label| key_changed(metadata, Map::Labels, label);
    let has_label = metadata.labels.iter().any(|labels| labels.contains_key(INJECTION_LABEL));
    // Without the label the cluster's default decides, since the namespace exists.
    let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
    let injection = if has_label { changed(INJECTION_LABEL) } else { created };
    LabelTimes { injection, credentials: changed(CREDENTIALS_LABEL) }
}

fn time(entry: &ManagedFieldsEntry) -> Option<Timestamp> {
    entry.time.as_ref().map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ROLE: &str = "eks.amazonaws.com/role-arn";

    fn metadata(entries: &Value) -> ObjectMeta {
        let created = "2026-01-01T00:00:00Z";
        serde_json::from_value(json!({"creationTimestamp": created, "managedFields": entries}))
            .unwrap()
    }

    fn second(time: Option<Timestamp>) -> Option<String> {
        time.map(|time| time.to_string())
    }

    #[test]
    fn an_annotation_is_as_old_as_the_oldest_entry_that_owns_it() {
        let owns = |time: &str, fields: &Value| json!({"time": time, "fieldsV1": fields});
        let role =
            json!({"f:metadata": {"f:annotations": {".": {}, "f:eks.amazonaws.com/role-arn": {}}}});
        let other = json!({"f:metadata": {"f:annotations": {"f:team": {}}}});
        let label = json!({"f:metadata": {"f:labels": {"f:eks.amazonaws.com/role-arn": {}}}});
        let metadata = metadata(&json!([
            owns("2026-01-01T00:00:01Z", &label),
            owns("2026-01-01T00:00:02Z", &other),
            owns("2026-01-01T00:00:04Z", &role),
            owns("2026-01-01T00:00:03Z", &role),
            {"time": "2026-01-01T00:00:00Z"},
        ]));
        let changed = |map| second(key_changed(&metadata, map, ROLE));
        assert_eq!(changed(Map::Annotations).as_deref(), Some("2026-01-01T00:00:03Z"));
        assert_eq!(changed(Map::Labels).as_deref(), Some("2026-01-01T00:00:01Z"));
        assert_eq!(key_changed(&metadata, Map::Labels, "team"), None);
    }

    #[test]
    fn the_newest_entry_counts_unless_it_wrote_the_status() {
        let changed = |entries: &Value| second(spec_changed(&metadata(entries))).unwrap();
        assert_eq!(changed(&json!([])), "2026-01-01T00:00:00Z");
        let status = json!({"time": "2026-01-01T00:00:09Z", "subresource": "status"});
        assert_eq!(changed(&json!([status])), "2026-01-01T00:00:00Z");
        let [first, second] =
            ["2026-01-01T00:00:05Z", "2026-01-01T00:00:04Z"].map(|time| json!({"time": time}));
        assert_eq!(changed(&json!([first, second, status])), "2026-01-01T00:00:05Z");
    }
}
