//! Operations of a patch, with paths that are built from tokens and so always escaped.

use json_patch::{AddOperation, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};

/// Adds `value` at a place; what is there is replaced.
pub(super) fn add<T: AsRef<str>>(path: &[T], value: Value) -> PatchOperation {
    let path = PointerBuf::from_tokens(path.iter().map(AsRef::as_ref));
    PatchOperation::Add(AddOperation { path, value })
}

/// An array of the pod that grows at its end. JSON Patch cannot append to what is not there, so
/// the first value brings the array with it.
pub(super) struct Array {
    path: PointerBuf,
    empty: bool,
}

impl Array {
    /// The array at `path`; `empty` where it is absent, null or has no values.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_a_slash_is_one_token() {
        let operation = add(&["metadata", "labels", "a.b/c~d"], json!("v"));
        assert_eq!(operation.path().as_str(), "/metadata/labels/a.b~1c~0d");
    }

    #[test]
    fn an_empty_array_comes_with_its_first_value() {
        let mut array = Array::new(&["spec", "volumes"], true);
        let first = array.push(json!(1));
        let second = array.push(json!(2));
        assert_eq!(json!(first), json!({"op": "add", "path": "/spec/volumes", "value": [1]}));
        assert_eq!(json!(second), json!({"op": "add", "path": "/spec/volumes/-", "value": 2}));
    }
}
