//! Warnings at `kubectl apply`, for ServiceAccounts and for workloads with pod templates. A
//! controller creates a Deployment's pods, so their own warnings never reach its author.
//!
//! Nothing is ever denied here. What cannot be known yet, such as a ServiceAccount that is applied
//! after its Deployment, gives no warning.

use std::time::Duration;

use podrole_identity::{Annotations, ServiceAccountRef};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::{
    Outcome, Reason, ServiceAccounts, Webhook,
    mutate::{denied_secrets, mutate},
    pod::{PodHead, PodView},
    review::Request,
};

/// Our annotations for ServiceAccounts and pods.
const KNOWN: [&str; 6] = [
    podrole_identity::CREDENTIALS_ANNOTATION,
    podrole_identity::INCLUDE_CONTAINERS_ANNOTATION,
    podrole_identity::REGION_ANNOTATION,
    podrole_identity::SESSION_NAME_ANNOTATION,
    podrole_identity::DISABLE_IMDS_ANNOTATION,
    podrole_identity::ENDPOINT_URL_ANNOTATION,
];
/// The prefix of our annotations.
const OURS: &str = "podrole.io/";

/// The path of a workload's pod template; `None` for any other kind.
fn template(group: &str, kind: &str) -> Option<&'static str> {
    match (group, kind) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => Some("/spec/template"),
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// Returns the warnings for an object's author.
pub(crate) async fn check<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    request: &Request<'_>,
    patience: Duration,
) -> Outcome {
    let checked = |warnings| Outcome::Skip { reason: Reason::Checked, warnings };
    let object = request.object.map(|object| serde_json::from_str::<Value>(object.get()));
    let (Some(Ok(object)), Some(namespace)) = (object, request.namespace.as_deref()) else {
        return checked(Vec::new());
    };
    let (group, kind) = (request.kind.group.as_str(), request.kind.kind.as_str());
    let warnings = match (group, kind, template(group, kind)) {
        ("", "ServiceAccount", _) => service_account(webhook, &object, namespace, patience).await,
        (_, _, Some(template)) => match pod(&object, template, kind) {
            Some(pod) => workload(webhook, &pod, namespace, patience).await,
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    checked(warnings)
}

async fn service_account<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    object: &Value,
    namespace: &str,
    patience: Duration,
) -> Vec<String> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let (Ok(service_account), Some(annotations)) =
        (ServiceAccountRef::new(namespace, name), annotations(object))
    else {
        return Vec::new();
    };
    let role_key = webhook.settings().annotations.prefix.key("role-arn");
    let mut warnings = unknown_annotations(&annotations, &role_key);
    let annotations = webhook.settings().annotations.read(annotations);
    let mut problems = annotations.problems.clone();
    let bad_role = annotations.bad_role.as_ref().map(ToString::to_string);
    match webhook.bind_annotated(&service_account, annotations, false, patience).await {
        Ok(binding) => {
            warnings.extend(denied_secrets(&binding));
            problems = binding.annotations.problems;
            warnings.splice(0..0, binding.grant.err().map(|denial| denial.summary()));
        }
        // Without the other facts, what is wrong in the annotation itself is still known.
        Err(_) => {
            warnings.splice(0..0, bad_role);
        }
    }
    warnings.extend(problems.iter().map(ToString::to_string));
    warnings
}

async fn workload<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    pod: &Value,
    namespace: &str,
    patience: Duration,
) -> Vec<String> {
    let json = pod.to_string();
    let (Ok(head), Ok(view)) = (PodHead::read(&json), PodView::read(&json)) else {
        return Vec::new();
    };
    let Ok(service_account) = ServiceAccountRef::new(namespace, head.service_account()) else {
        return Vec::new();
    };
    let role_key = webhook.settings().annotations.prefix.key("role-arn");
    let annotations = annotations(pod);
    let mut warnings =
        annotations.map(|all| unknown_annotations(&all, &role_key)).unwrap_or_default();
    if head.opted_out() {
        return warnings;
    }
    if let Ok(binding) = webhook.bind(&service_account, head.asks_for_secrets(), patience).await {
        warnings.extend(mutate(&view, &binding, webhook.settings(), 0).warnings());
    }
    warnings
}

/// A pod as the workload's controller would create it. Only a StatefulSet's pods have names that
/// are known beforehand.
fn pod(object: &Value, template: &str, kind: &str) -> Option<Value> {
    let mut pod = object.pointer(template)?.clone();
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let metadata = pod.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    if metadata.is_null() {
        *metadata = json!({});
    }
    let metadata = metadata.as_object_mut()?;
    match kind {
        "StatefulSet" => metadata.insert("name".to_owned(), json!(format!("{name}-0"))),
        _ => metadata.insert("generateName".to_owned(), json!(format!("{name}-"))),
    };
    Some(pod)
}

fn annotations(object: &Value) -> Option<Annotations> {
    match object.pointer("/metadata/annotations") {
        None | Some(Value::Null) => Some(Annotations::new()),
        Some(annotations) => Annotations::deserialize(annotations).ok(),
    }
}

/// Warnings about annotations with our prefix, or almost EKS's, that have no effect: probably
/// misspelled.
fn unknown_annotations(annotations: &Annotations, role_key: &str) -> Vec<String> {
    let warnings = annotations.keys().filter_map(|key| {
        let near_miss = key.ends_with("/role-arn") && key.contains("amazon") && key != role_key;
        if near_miss {
            return Some(format!("{key} has no effect; use {role_key}"));
        }
        let unknown = key.starts_with(OURS) && !KNOWN.contains(&key.as_str());
        unknown.then(|| {
            format!("{key} is not a known annotation and has no effect; check its spelling")
        })
    });
    warnings.collect()
}

#[cfg(test)]
mod tests;
