//! Warnings at `kubectl apply`, for ServiceAccounts, for Namespaces and for workloads with pod
//! templates. A controller creates a Deployment's pods, so their own warnings never reach its author.
//!
//! Nothing is ever denied here. What cannot be known yet, such as a ServiceAccount that is applied
//! after its Deployment, gives no warning.

mod kinds;
mod restart;

use std::time::Duration;

use podrole_identity::{
    API_GROUP, Annotations, InjectionDefault, Kind, Labels, NamespaceFacts,
    PERMITTED_ROLES_ANNOTATION, PERMITTED_SECRETS_ANNOTATION, PermittedRoles, PermittedSecrets,
    Place, ServiceAccountRef, near_misses,
};
use serde::Deserialize as _;
use serde_json::{Value, json, value::RawValue};

use crate::{
    Outcome, Reason, ServiceAccount, ServiceAccounts, Settings, Webhook,
    mutate::{denied_secrets, mutate},
    pod::{PodHead, PodView},
    review::Request,
};

/// The JSON pointer to a workload's pod template; `None` for any other kind.
#[must_use]
pub fn template(group: &str, kind: &str) -> Option<&'static str> {
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
    let parse = |object: &RawValue| serde_json::from_str::<Value>(object.get());
    let object = request.object.map(parse);
    // What it was before an update.
    let old = request.old_object.and_then(|old| parse(old).ok());
    let (group, kind) = (request.kind.group.as_str(), request.kind.kind.as_str());
    let object = match object {
        Some(Ok(object)) => object,
        _ => return checked(Vec::new()),
    };
    if (group, kind) == ("", "Namespace") {
        let mut warnings = namespace(&object, webhook.settings());
        warnings.extend(old.and_then(|old| restart::of_namespace(&old, &object)));
        return checked(warnings);
    }
    if group == API_GROUP
        && let Some(kind) = Kind::of(kind)
    {
        return checked(kinds::check(webhook, kind, &object, patience).await);
    }
    let Some(namespace) = request.namespace.as_deref() else {
        return checked(Vec::new());
    };
    let warnings = match (group, kind, template(group, kind)) {
        ("", "ServiceAccount", _) => {
            service_account(webhook, &object, old.as_ref(), namespace, patience).await
        }
        (_, _, Some(template)) => match pod_of_template(&object, template, kind) {
            Some(pod) => workload(webhook, &object, &pod, namespace, patience).await,
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    checked(warnings)
}

/// What of a Namespace's labels and annotations has no effect, or another one than meant.
fn namespace(object: &Value, settings: &Settings) -> Vec<String> {
    let annotations = texts(object, "annotations").unwrap_or_default();
    let value = |key: &str| annotations.get(key).map(String::as_str);
    let roles = match PermittedRoles::read(value(PERMITTED_ROLES_ANNOTATION)) {
        PermittedRoles::Malformed(error) => Some(format!("no role is permitted: {error}")),
        PermittedRoles::Any | PermittedRoles::Only(_) => None,
    };
    let secrets = match PermittedSecrets::read(value(PERMITTED_SECRETS_ANNOTATION)) {
        PermittedSecrets::Malformed(error) => Some(format!("no Secret is permitted: {error}")),
        PermittedSecrets::Any | PermittedSecrets::Only(_) => None,
    };
    let facts = NamespaceFacts::read(Labels::new(), &annotations, InjectionDefault::default());
    let time = facts.bad_not_before.map(|problem| problem.to_string());
    let mut warnings: Vec<String> = roles.into_iter().chain(secrets).chain(time).collect();
    warnings.extend(misses(Place::Namespace, object, settings, &[]));
    warnings
}

async fn service_account<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    object: &Value,
    old: Option<&Value>,
    namespace: &str,
    patience: Duration,
) -> Vec<String> {
    let settings = webhook.settings();
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let (Ok(service_account), Some(annotations)) =
        (ServiceAccountRef::new(namespace, name), texts(object, "annotations"))
    else {
        return Vec::new();
    };
    let annotations = settings.annotations.read(annotations);
    let labels = texts(object, "labels").unwrap_or_default();
    let mut warnings = Vec::new();
    let mut problems = annotations.problems.clone();
    let bad_role = annotations.bad_role.as_ref().map(ToString::to_string);
    let found = ServiceAccount { annotations, labels };
    match webhook.bind_found(&service_account, found, patience).await {
        Ok(binding) => {
            warnings.extend(denied_secrets(&binding));
            let before =
                old.and_then(|old| Some((texts(old, "annotations")?, texts(old, "labels")?)));
            if let Some((annotations, labels)) = before {
                let annotations = settings.annotations.read(annotations);
                let before = ServiceAccount { annotations, labels };
                let before = webhook.bind_found(&service_account, before, patience).await;
                warnings.extend(
                    before.ok().and_then(|it| restart::of_service_account(&it, &binding, settings)),
                );
            }
            problems = binding.annotations.problems;
            warnings.splice(0..0, binding.grant.err().map(|denial| denial.summary()));
        }
        // Without the other facts, what is wrong in the annotation itself is still known.
        Err(_) => {
            warnings.splice(0..0, bad_role);
        }
    }
    let known: Vec<_> = problems.iter().map(|problem| problem.annotation.clone()).collect();
    let (prefix, expiration) = (&settings.annotations.prefix, settings.token_expiration);
    let problems =
        problems.into_iter().map(|problem| problem.with_used_expiration(prefix, expiration));
    warnings.extend(problems.map(|problem| problem.to_string()));
    warnings.extend(misses(Place::ServiceAccount, object, settings, &known));
    warnings
}

async fn workload<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    object: &Value,
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
    let settings = webhook.settings();
    let mut warnings = Vec::new();
    if !head.opted_out()
        && let Ok(binding) = webhook.bind(&service_account, patience).await
    {
        warnings.extend(mutate(&view, &binding, settings, 0).warnings());
    }
    let near = head.near_misses(&service_account, &settings.annotations.prefix);
    warnings.extend(near.iter().map(ToString::to_string));
    let misses = misses(Place::Workload(&service_account), object, settings, &[]);
    // Many charts give the workload the annotations and labels of its pods, or the other way round.
    warnings
        .extend(misses.into_iter().filter(|miss| !near.iter().any(|it| it.to_string() == *miss)));
    warnings
}

/// The near misses of an object's own metadata, without those that a problem is `known` of.
fn misses(place: Place<'_>, object: &Value, settings: &Settings, known: &[String]) -> Vec<String> {
    let annotations = texts(object, "annotations").unwrap_or_default();
    let labels = texts(object, "labels").unwrap_or_default();
    let misses = near_misses(
        place,
        annotations.keys().map(String::as_str),
        labels.iter().map(|(key, value)| (key.as_str(), value.as_str())),
        &settings.annotations.prefix,
    );
    let misses = misses.iter().filter(|miss| !known.contains(&miss.key));
    misses.map(ToString::to_string).collect()
}

/// A pod as the workload's controller would create it, by the JSON pointer to its template; `None` if it
/// has none. Only a StatefulSet's pods have names that are known beforehand.
#[must_use]
pub fn pod_of_template(object: &Value, template: &str, kind: &str) -> Option<Value> {
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

/// An object's annotations or labels; `None` if they are not texts.
fn texts(object: &Value, which: &str) -> Option<Annotations> {
    match object.get("metadata").and_then(|metadata| metadata.get(which)) {
        None | Some(Value::Null) => Some(Annotations::new()),
        Some(texts) => Annotations::deserialize(texts).ok(),
    }
}

#[cfg(test)]
mod tests;
