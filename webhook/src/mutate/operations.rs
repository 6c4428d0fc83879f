//! The operations of a JSON Patch. Their paths are built from tokens, so that a `/` or `~` in a key
//! is always escaped.

use json_patch::{AddOperation, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};

use super::expression::{Expression, POD_NAME};
use crate::pod::Container;

/// Adds `value` at a path, replacing what is there.
pub(super) fn add<T: AsRef<str>>(path: &[T], value: Value) -> PatchOperation {
    let path = PointerBuf::from_tokens(path.iter().map(AsRef::as_ref));
    PatchOperation::Add(AddOperation { path, value })
}

/// An array of the pod that grows at its end. JSON Patch cannot append to an array that does not
/// exist, so the first value is added as an array of one.
pub(super) struct Array {
    path: PointerBuf,
    empty: bool,
}

impl Array {
    /// The array at `path`; `empty` if it is absent, null or has no values.
    pub(super) fn new<T: AsRef<str>>(path: &[T], empty: bool) -> Self {
        Self { path: PointerBuf::from_tokens(path.iter().map(AsRef::as_ref)), empty }
    }

    pub(super) fn push(&mut self, value: Value) -> PatchOperation {
        let operation = if self.empty {
            AddOperation { path: self.path.clone(), value: json!([value]) }
        } else {
            AddOperation { path: self.path.with_trailing_token("-"), value }
        };
        self.empty = false;
        PatchOperation::Add(operation)
    }
}

/// The additions to one container.
pub(super) struct ContainerPatch<'a> {
    container: &'a Container,
    path: [String; 3],
    env: Array,
    env_from: Array,
    mounts: Array,
    /// The mount paths and volume names of all mounts, existing and added.
    mounted: Vec<(String, String)>,
    has_pod_name: bool,
    operations: Vec<PatchOperation>,
}

impl<'a> ContainerPatch<'a> {
    /// For the container at `index` of `list`.
    pub(super) fn new(list: &str, index: usize, container: &'a Container) -> Self {
        let path = ["spec", list, &index.to_string()].map(str::to_owned);
        let array = |name: &str, empty| {
            let path: Vec<&str> = path.iter().map(String::as_str).chain([name]).collect();
            Array::new(&path, empty)
        };
        let mounts = container.volume_mounts.iter();
        Self {
            container,
            env: array("env", container.env.is_empty()),
            env_from: array("envFrom", container.env_from.is_empty()),
            mounts: array("volumeMounts", container.volume_mounts.is_empty()),
            mounted: mounts.map(|mount| (mount.mount_path.clone(), mount.name.clone())).collect(),
            has_pod_name: container.has_variable(POD_NAME),
            operations: Vec::new(),
            path,
        }
    }

    pub(super) fn container(&self) -> &'a Container {
        self.container
    }

    pub(super) fn variable(&mut self, name: &str, value: &Expression) {
        let variable = json!({ "name": name, "value": value.as_str() });
        self.operations.push(self.env.push(variable));
    }

    /// Makes sure that the variable with the pod's name, which the kubelet fills in, exists.
    pub(super) fn pod_name(&mut self) {
        if !std::mem::replace(&mut self.has_pod_name, true) {
            let source = json!({ "fieldRef": { "fieldPath": "metadata.name" } });
            let variable = json!({ "name": POD_NAME, "valueFrom": source });
            self.operations.push(self.env.push(variable));
        }
    }

    /// Replaces the value of the variable at `index`.
    pub(super) fn value(&mut self, index: usize, value: &Expression) {
        let [spec, list, container] = &self.path;
        let index = index.to_string();
        let path = [spec, list, container, "env", &index, "value"];
        self.operations.push(add(&path, json!(value.as_str())));
    }

    pub(super) fn env_from(&mut self, source: Value) {
        self.operations.push(self.env_from.push(source));
    }

    pub(super) fn mount(&mut self, path: &str, volume: &str, mount: Value) {
        self.mounted.push((path.to_owned(), volume.to_owned()));
        self.operations.push(self.mounts.push(mount));
    }

    /// The mount paths and volume names of all mounts, existing and added.
    pub(super) fn mounted(&self) -> impl Iterator<Item = (&str, &str)> {
        self.mounted.iter().map(|(path, volume)| (path.as_str(), volume.as_str()))
    }

    pub(super) fn into_operations(self) -> Vec<PatchOperation> {
        self.operations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_a_slash_is_one_token() {
        let operation = add(&["metadata", "labels", "a.b/c~d"], json!("v"));
        assert_eq!(operation.path().as_str(), "/metadata/labels/a.b~1c~0d");
    }

    #[test]
    fn the_first_value_of_an_empty_array_creates_it() {
        let mut array = Array::new(&["spec", "volumes"], true);
        let first = array.push(json!(1));
        let second = array.push(json!(2));
        assert_eq!(json!(first), json!({"op": "add", "path": "/spec/volumes", "value": [1]}));
        assert_eq!(json!(second), json!({"op": "add", "path": "/spec/volumes/-", "value": 2}));
    }
}
