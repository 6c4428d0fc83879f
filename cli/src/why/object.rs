//! An object of the cluster, as JSON: what decides is in few fields, and objects of manifests may lack any.

use jiff::Timestamp;
use kube::api::ObjectMeta;
use podrole_identity::{Annotations, Labels};
use serde_json::Value;

/// An object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object(Value);

impl Object {
    pub(crate) fn new(value: Value) -> Self {
        Self(value)
    }

    pub(crate) fn json(&self) -> &Value {
        &self.0
    }

    /// The API group and the kind.
    pub(crate) fn group_kind(&self) -> (&str, &str) {
        let version = self.text("/apiVersion").unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        (group, self.text("/kind").unwrap_or_default())
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.text("/metadata/namespace").unwrap_or_default()
    }

    pub(crate) fn labels(&self) -> Labels {
        self.texts("/metadata/labels")
    }

    pub(crate) fn annotations(&self) -> Annotations {
        self.texts("/metadata/annotations")
    }

    /// The metadata; empty if it is malformed.
    pub(crate) fn metadata(&self) -> ObjectMeta {
        let metadata = self.0.get("metadata").cloned().unwrap_or_default();
        serde_json::from_value(metadata).unwrap_or_default()
    }

    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.time("/metadata/creationTimestamp")
    }

    pub(crate) fn time(&self, pointer: &str) -> Option<Timestamp> {
        self.text(pointer)?.parse().ok()
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn list(&self, pointer: &str) -> impl Iterator<Item = &Value> {
        self.0.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
    }

    /// A map of texts. Other values are left out.
    pub(crate) fn texts(&self, pointer: &str) -> Labels {
        texts(self.0.pointer(pointer))
    }

    /// The kind and name of the object that controls it.
    pub(crate) fn controller(&self) -> Option<(&str, &str)> {
        let mut owners = self.list("/metadata/ownerReferences");
        let owner = owners.find(|owner| owner["controller"] == true)?;
        Some((owner["kind"].as_str()?, owner["name"].as_str()?))
    }
}

/// A map of texts. Other values are left out.
pub(crate) fn texts(map: Option<&Value>) -> Labels {
    let pairs = map.and_then(Value::as_object).into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
