//! Whether a pod differs from the one before only by what this webhook adds.

use podrole_identity::{EKS_POD_IDENTITY_LABEL, variable};
use serde_json::{Map, Value, map::Entry};

use crate::mutate::POD_NAME;

/// Panics if it does not.
pub(super) fn check(before: &Value, after: &Value) {
    let mut rest = after.clone();
    remove_ours(before, &mut rest);
    let mut before = before.clone();
    without_empty(&mut before);
    without_empty(&mut rest);
    assert_eq!(before, rest, "what is not ours was changed");
}

/// Removes from the pod `after` what was added to `before`, if it is ours.
fn remove_ours(before: &Value, after: &mut Value) {
    if before["metadata"]["labels"].get(EKS_POD_IDENTITY_LABEL).is_none()
        && let Some(Value::Object(labels)) = after.pointer_mut("/metadata/labels")
    {
        labels.shift_remove(EKS_POD_IDENTITY_LABEL);
    }
    let Some(spec) = after.get_mut("spec") else {
        return;
    };
    let was = &before["spec"];
    remove_added(&was["volumes"], spec.get_mut("volumes"), is_our_volume);
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for (index, container) in containers.into_iter().flatten().enumerate() {
            let was = &was[list][index];
            remove_added(&was["env"], container.get_mut("env"), is_our_variable);
            remove_added(&was["envFrom"], container.get_mut("envFrom"), is_secret);
            remove_added(&was["volumeMounts"], container.get_mut("volumeMounts"), is_our_volume);
            restore_proxy_exceptions(&was["env"], container.get_mut("env"));
            restore_empty_values(&was["env"], container.get_mut("env"));
        }
    }
}

/// Removes what was added at the end, as long as it is ours.
fn remove_added(before: &Value, after: Option<&mut Value>, is_ours: fn(&Value) -> bool) {
    let kept = before.as_array().map_or(0, Vec::len);
    if let Some(after) = after.and_then(Value::as_array_mut) {
        while after.len() > kept && after.last().is_some_and(is_ours) {
            after.pop();
        }
    }
}

/// Our addresses are added at the end of an existing `NO_PROXY`.
fn restore_proxy_exceptions(before: &Value, after: Option<&mut Value>) {
    let before = before.as_array().into_iter().flatten();
    for (was, now) in before.zip(after.and_then(Value::as_array_mut).into_iter().flatten()) {
        let is_proxy = was["name"].as_str().is_some_and(|it| variable::NO_PROXIES.contains(&it));
        let extended = now["value"].as_str().unwrap_or_default();
        let value = was["value"].as_str().unwrap_or_default();
        if is_proxy && extended.len() > value.len() && extended.starts_with(value.trim_end()) {
            match (now.as_object_mut().map(|now| now.entry("value")), was.get("value")) {
                (Some(Entry::Occupied(entry)), None) => drop(entry.shift_remove()),
                (Some(Entry::Occupied(mut entry)), Some(was)) => drop(entry.insert(was.clone())),
                _ => {}
            }
        }
    }
}

/// A variable of ours that was empty has its value now.
fn restore_empty_values(before: &Value, after: Option<&mut Value>) {
    let before = before.as_array().into_iter().flatten();
    for (was, now) in before.zip(after.and_then(Value::as_array_mut).into_iter().flatten()) {
        let was_empty = was.get("valueFrom").is_none_or(Value::is_null)
            && was.get("value").is_none_or(|value| value.is_null() || value == "");
        if was_empty && is_our_variable(was) && now["value"].is_string() {
            match (now.as_object_mut(), was.get("value")) {
                (Some(now), None) => drop(now.shift_remove("value")),
                (Some(now), Some(was)) => drop(now.insert("value".to_owned(), was.clone())),
                (None, _) => {}
            }
        }
    }
}

fn is_our_volume(volume: &Value) -> bool {
    let name = volume["name"].as_str().unwrap_or_default();
    ["aws-iam-token", "eks-pod-identity-token"].contains(&name)
        || name.starts_with("podrole-secret-")
}

fn is_secret(source: &Value) -> bool {
    source["secretRef"]["name"].is_string()
}

fn is_our_variable(added: &Value) -> bool {
    let name = added["name"].as_str().unwrap_or_default();
    name.starts_with("AWS_") || name == POD_NAME || variable::NO_PROXIES.contains(&name)
}

/// Removes nulls and empty lists and maps, which mean the same as nothing.
fn without_empty(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (_, value) in map.iter_mut() {
                without_empty(value);
            }
            map.retain(|_, value| !is_empty(value));
        }
        Value::Array(values) => values.iter_mut().for_each(without_empty),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
}
