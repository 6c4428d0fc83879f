//! The write: a JSON Patch that fails unless our taint is still at its place in the list.

use json_patch::{
    Patch as Operations, PatchOperation, RemoveOperation, TestOperation, jsonptr::PointerBuf,
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_runtime::error_text::with_root;

use super::{nodes::TAINT, objects::TaintedNode};

/// Removes the taints at these places of the node's list.
///
/// # Errors
/// If the API server refuses, as it does if the list is another by now. The next event of the node has the
/// new places.
pub(super) async fn remove(
    api: &Api<TaintedNode>,
    node: &str,
    taints: &[usize],
) -> Result<(), String> {
    let patch = Patch::<()>::Json(operations(taints));
    match api.patch_metadata(node, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        Err(error) => Err(with_root(&error)),
    }
}

/// The last place first, so that the others stay where they are.
fn operations(taints: &[usize]) -> Operations {
    let mut places = taints.to_vec();
    places.sort_unstable();
    let both = places.iter().rev().flat_map(|place| {
        let place = place.to_string();
        let path = PointerBuf::from_tokens(["spec", "taints", &place]);
        let key = PointerBuf::from_tokens(["spec", "taints", &place, "key"]);
        let test = TestOperation { path: key, value: TAINT.into() };
        [PatchOperation::Test(test), PatchOperation::Remove(RemoveOperation { path })]
    });
    Operations(both.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_our_taint_is_removed_and_the_list_must_be_the_one_that_was_seen() {
        let mut node = json!({"spec": {"taints": [
            {"key": TAINT, "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
            {"key": TAINT, "effect": "NoExecute"}]}});
        json_patch::patch(&mut node, &operations(&[0, 2])).unwrap();
        let left = json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
        assert_eq!(node["spec"]["taints"], left);
        assert!(json_patch::patch(&mut node, &operations(&[0])).is_err());
        assert_eq!(node["spec"]["taints"], left);
    }
}
