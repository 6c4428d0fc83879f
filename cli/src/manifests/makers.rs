//! Kinds that create pods and are none of Kubernetes' own, such as Argo's Rollout or Volcano's Job.

use serde_json::Value;

use super::Object;

/// What is said of an object whose pods only the cluster's webhook sees.
pub(crate) const NOT_SEEN: &str = "podrole sees its pods only when they are created";
/// Groups whose objects contain pod specs as patterns or schemas.
const PATTERNS: [&str; 4] =
    ["kyverno.io", "policies.kyverno.io", "admissionregistration.k8s.io", "apiextensions.k8s.io"];
/// The group of SparkApplication, which describes its pods in fields of its own.
const SPARK: &str = "sparkoperator.k8s.io";

/// Whether an object of another kind creates pods: it has a list of containers somewhere.
pub(super) fn makes_pods(object: &Object) -> bool {
    !PATTERNS.contains(&object.group.as_str())
        && (object.group == SPARK || has_containers(&object.value))
}

fn has_containers(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let containers = map.get("containers").and_then(Value::as_array);
            let is_container = |item: &Value| item.get("name").or(item.get("image")).is_some();
            containers.is_some_and(|items| items.iter().any(is_container))
                || map.values().any(has_containers)
        }
        Value::Array(items) => items.iter().any(has_containers),
        _ => false,
    }
}
