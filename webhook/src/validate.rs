//! Warnings at `kubectl apply`, for ServiceAccounts and for workloads with pod templates: the pods
//! of a Deployment are made by a controller, whose warnings nobody sees.
//!
//! Nothing is ever refused here, and what cannot be known yet is not spoken of.

use std::time::Duration;

use podrole_identity::{Annotations, ServiceAccountRef};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::{
    Outcome, Reason, ServiceAccounts, Webhook,
    mutate::mutate,
    pod::{PodHead, PodView},
    review::Request,
};

/// Annotations of ours that ServiceAccounts and pods may have.
const KNOWN: [&str; 6] = [
    podrole_identity::CREDENTIALS_ANNOTATION,
    podrole_identity::INCLUDE_CONTAINERS_ANNOTATION,
    podrole_identity::REGION_ANNOTATION,
    podrole_identity::SESSION_NAME_ANNOTATION,
    podrole_identity::DISABLE_IMDS_ANNOTATION,
    podrole_identity::ENDPOINT_URL_ANNOTATION,
];
/// What stands before their slash.
const OURS: &str = "podrole.io/";

/// Where a kind of workload keeps the template of its pods; `None` where it has none.
fn template(group: &str, kind: &str) -> Option<&'static str> {
    match (group, kind) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => Some("/spec/template"),
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// What the object's author should know.
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
        (_, _, Some(place)) => match pod(&object, place, kind) {
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
    let (Ok(account), Some(annotations)) =
        (ServiceAccountRef::new(namespace, name), annotations(object))
    else {
        return Vec::new();
    };
    let mut warnings = unread(&annotations, &webhook.settings().annotations.prefix.key("role-arn"));
    let said = webhook.settings().annotations.read(annotations);
    let problems: Vec<String> = said.problems.iter().map(ToString::to_string).collect();
    let denied = match webhook.bind_annotated(&account, &said, patience).await {
        Ok(binding) => binding.grant.err().map(|denial| denial.summary()),
        // Without the other facts, what is wrong in the annotation itself is still known.
        Err(_) => said.bad_role.as_ref().map(ToString::to_string),
    };
    warnings.splice(0..0, denied);
    warnings.extend(problems);
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
    let Ok(account) = ServiceAccountRef::new(namespace, head.service_account()) else {
        return Vec::new();
    };
    let role_key = webhook.settings().annotations.prefix.key("role-arn");
    let mut warnings = annotations(pod).map(|all| unread(&all, &role_key)).unwrap_or_default();
    if head.opted_out() {
        return warnings;
    }
    if let Ok(binding) = webhook.bind(&account, patience).await {
        warnings.extend(mutate(&view, &binding, webhook.settings(), 0).warnings());
    }
    warnings
}

/// A pod of a workload. Pods of a StatefulSet have names that are known before they are made.
fn pod(object: &Value, place: &str, kind: &str) -> Option<Value> {
    let mut pod = object.pointer(place)?.clone();
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

/// Annotations that look like ones of ours or of EKS and that nobody reads.
fn unread(annotations: &Annotations, role_key: &str) -> Vec<String> {
    let told = annotations.keys().filter_map(|key| {
        let near_miss = key.ends_with("/role-arn") && key.contains("amazon") && key != role_key;
        if near_miss {
            return Some(format!("nobody reads {key}; write {role_key}"));
        }
        let unknown = key.starts_with(OURS) && !KNOWN.contains(&key.as_str());
        unknown.then(|| format!("nobody reads {key} here"))
    });
    told.collect()
}

#[cfg(test)]
mod tests;
