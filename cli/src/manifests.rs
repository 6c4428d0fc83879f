//! A person's manifests, read as far as a pod's identity goes.

use std::{collections::BTreeMap, fmt};

use podrole_identity::{
    Annotations, PERMITTED_ROLES_ANNOTATION, PermittedRoles, ServiceAccountRef,
};
use serde_json::{Map, Value, json};

/// What the files hold.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    /// Namespaces with their labels.
    pub(crate) namespaces: BTreeMap<String, Annotations>,
    /// The guard-rails of namespaces that have one.
    pub(crate) guard_rails: BTreeMap<String, PermittedRoles>,
    /// ServiceAccounts with their annotations.
    pub(crate) service_accounts: BTreeMap<ServiceAccountRef, Annotations>,
    /// Everything that makes pods, in the files' order.
    pub(crate) workloads: Vec<Workload>,
}

/// Something that makes pods, and the pod that it makes.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) service_account: ServiceAccountRef,
    /// The pod as it would reach the API server.
    pub(crate) pod: Value,
}

/// Why a file cannot be used: file, place, reason.
#[derive(Debug, thiserror::Error)]
#[error("{file}{place}: {reason}")]
pub(crate) struct ManifestError {
    file: String,
    place: String,
    reason: String,
}

/// A file's name and text.
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) text: String,
}

impl Manifests {
    /// Reads files of YAML or JSON with any number of documents. Kinds that make no pods and
    /// carry no identity are let be.
    pub(crate) fn read(sources: &[Source]) -> Result<Self, ManifestError> {
        let mut manifests = Self::default();
        for source in sources {
            for (index, document) in documents(source)?.into_iter().enumerate() {
                let added = manifests.add(&document);
                added.map_err(|reason| ManifestError {
                    file: source.file.clone(),
                    place: format!(", document {}", index + 1),
                    reason,
                })?;
            }
        }
        Ok(manifests)
    }

    fn add(&mut self, document: &Value) -> Result<(), String> {
        if document.is_null() {
            return Ok(());
        }
        let kind = text(document, "/kind").ok_or("it has no `kind`: is it a manifest?")?.to_owned();
        if let Some(items) = document.pointer("/items").and_then(Value::as_array) {
            return items.iter().try_for_each(|item| self.add(item));
        }
        match kind.as_str() {
            "Namespace" => {
                let name = name(document)?.to_owned();
                let annotations = string_map(document, "/metadata/annotations")?;
                if let Some(text) = annotations.get(PERMITTED_ROLES_ANNOTATION) {
                    self.guard_rails.insert(name.clone(), PermittedRoles::read(Some(text)));
                }
                self.namespaces.insert(name, string_map(document, "/metadata/labels")?);
            }
            "ServiceAccount" => {
                let account = account(namespace(document), name(document)?)?;
                let annotations = string_map(document, "/metadata/annotations")?;
                self.service_accounts.insert(account, annotations);
            }
            _ => self.workloads.extend(workload(&kind, document)?),
        }
        Ok(())
    }
}

/// The documents of a file.
pub(crate) fn documents(source: &Source) -> Result<Vec<Value>, ManifestError> {
    let failed = |error: &serde_saphyr::Error| ManifestError {
        file: source.file.clone(),
        place: error
            .location()
            .map(|at| format!(", line {}, column {}", at.line(), at.column()))
            .unwrap_or_default(),
        reason: reason(error),
    };
    serde_saphyr::from_multiple(&source.text).map_err(|error| failed(&error))
}

/// The error without the place, which stands before it, and without the drawn excerpt.
fn reason(error: &serde_saphyr::Error) -> String {
    let told = error.without_snippet().to_string();
    let told = told.lines().next().unwrap_or("it is no YAML").trim().to_owned();
    match told.split_once(" at line ") {
        Some((reason, _)) => reason.trim_end_matches([',', ':']).to_owned(),
        None => told,
    }
}

/// Where a kind keeps its pods' template; `None` where it makes no pods.
pub(crate) fn template(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Pod" => "",
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "Job"
        | "ReplicationController" => "/spec/template",
        "CronJob" => "/spec/jobTemplate/spec/template",
        _ => return None,
    })
}

/// The pod that a workload makes, or nothing where the kind makes none.
pub(crate) fn workload(kind: &str, document: &Value) -> Result<Option<Workload>, String> {
    let Some(template) = template(kind) else {
        return Ok(None);
    };
    let (name, namespace) = (name(document)?, namespace(document));
    let template = document.pointer(template).ok_or(format!("the {kind} has no {template}"))?;
    let spec = template.get("spec").filter(|spec| spec.is_object());
    let mut spec = spec.cloned().ok_or(format!("the {kind} {name} has no pod spec"))?;
    let service_account = text(&spec, "/serviceAccountName").unwrap_or("default").to_owned();
    spec["serviceAccountName"] = service_account.clone().into();
    let mut metadata = template.get("metadata").and_then(Value::as_object).cloned();
    let metadata = metadata.get_or_insert_with(Map::new);
    let pod_name = if kind == "Pod" { name.to_owned() } else { format!("{name}-demo") };
    metadata.insert("name".into(), pod_name.into());
    metadata.insert("namespace".into(), namespace.into());
    Ok(Some(Workload {
        kind: kind.to_owned(),
        name: name.to_owned(),
        service_account: account(namespace, &service_account)?,
        pod: json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }),
    }))
}

fn account(namespace: &str, name: &str) -> Result<ServiceAccountRef, String> {
    ServiceAccountRef::new(namespace, name)
        .map_err(|error| format!("ServiceAccount {namespace}/{name}: {error}"))
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn name(document: &Value) -> Result<&str, String> {
    text(document, "/metadata/name").ok_or_else(|| "it has no metadata.name".to_owned())
}

fn namespace(document: &Value) -> &str {
    text(document, "/metadata/namespace").unwrap_or("default")
}

fn string_map(document: &Value, pointer: &str) -> Result<Annotations, String> {
    let Some(map) = document.pointer(pointer).filter(|map| !map.is_null()) else {
        return Ok(Annotations::new());
    };
    let map = map.as_object().ok_or_else(|| format!("{pointer} is no map"))?;
    let pairs = map.iter().map(|(key, value)| match value.as_str() {
        Some(text) => Ok((key.clone(), text.to_owned())),
        None => Err(format!("{pointer}: the value of {key} is no text; put it in quotes")),
    });
    pairs.collect()
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.service_account.namespace(), self.name)
    }
}

#[cfg(test)]
mod tests;
