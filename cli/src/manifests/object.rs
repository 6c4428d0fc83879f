//! One object of a document.

use std::fmt;

use podrole_identity::{Annotations, ServiceAccountRef};
use podrole_webhook::template;
use serde_json::Value;

use super::{ContentError, ManifestError, not_a_string};

/// Where an object is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) file: String,
    /// Its first line.
    pub(crate) line: usize,
    /// The index of its document among all.
    pub(crate) document: usize,
    /// JSON pointer to the object in the document; not its root if the object is in a List.
    pub(crate) pointer: String,
}

/// An object that has a kind.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) group: String,
    pub(crate) kind: String,
    /// The name, or the prefix of a generated one.
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) value: Value,
    pub(crate) place: Place,
}

impl Object {
    /// Reads an object. `namespace` is that of objects that name none.
    pub(super) fn read(
        value: &Value,
        place: Place,
        namespace: &str,
    ) -> Result<Self, ManifestError> {
        let Some(kind) = text(value, "/kind") else {
            return Err(ManifestError::new(&place.file, place.line, ContentError::NoKind));
        };
        let name = text(value, "/metadata/name").or_else(|| text(value, "/metadata/generateName"));
        Ok(Self {
            group: group(value, kind),
            kind: kind.to_owned(),
            name: name.unwrap_or_default().to_owned(),
            namespace: text(value, "/metadata/namespace").unwrap_or(namespace).to_owned(),
            value: value.clone(),
            place,
        })
    }

    /// The JSON pointer to the pod or pod template; `None` if the kind creates no pods.
    pub(super) fn template(&self) -> Option<&'static str> {
        match (self.group.as_str(), self.kind.as_str()) {
            ("", "Pod") => Some(""),
            (group, kind) => template(group, kind),
        }
    }

    pub(super) fn service_account(
        &self,
        name: &str,
    ) -> Result<ServiceAccountRef, (String, ContentError)> {
        ServiceAccountRef::new(&self.namespace, name).map_err(|error| {
            let name = format!("{}/{name}", self.namespace);
            ("/metadata".to_owned(), ContentError::ServiceAccountName { name, error })
        })
    }

    /// A map of strings. Null is the empty string, as for the API server.
    pub(super) fn strings(&self, pointer: &str) -> Result<Annotations, (String, ContentError)> {
        let Some(map) = self.value.pointer(pointer).filter(|map| !map.is_null()) else {
            return Ok(Annotations::new());
        };
        let field = pointer.trim_start_matches('/').replace('/', ".");
        let Some(map) = map.as_object() else {
            return Err((pointer.to_owned(), ContentError::NotAMap { field }));
        };
        let pairs = map.iter().map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            Value::Null => Ok((key.clone(), String::new())),
            _ => {
                let at = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                let field = format!("{field} {key}");
                Err((at, ContentError::Field { field, what: not_a_string(value) }))
            }
        });
        pairs.collect()
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.group.as_str(), self.kind.as_str()) {
            ("", "Namespace") => write!(f, "Namespace {}", self.name),
            (_, kind) => write!(f, "{kind} {}/{}", self.namespace, self.name),
        }
    }
}

/// The group of an `apiVersion`. Without one it is Kubernetes' own of this kind.
fn group(value: &Value, kind: &str) -> String {
    match text(value, "/apiVersion") {
        Some(version) => version.split_once('/').map_or("", |(group, _)| group).to_owned(),
        None => {
            let owns = |group: &&str| template(group, kind).is_some();
            ["", "apps", "batch"].into_iter().find(owns).unwrap_or_default().to_owned()
        }
    }
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}
