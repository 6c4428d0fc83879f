//! Reads from the user's manifests what decides a pod's AWS identity.

use std::{collections::BTreeMap, fmt};

use podrole_identity::{Annotations, GuardRail, ServiceAccountError, ServiceAccountRef};
use serde_json::{Map, Value, json};

/// The relevant objects of all files.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    /// The labels of each Namespace.
    pub(crate) namespaces: BTreeMap<String, Annotations>,
    /// The guard-rail of each Namespace.
    pub(crate) guard_rails: BTreeMap<String, GuardRail>,
    /// The annotations of each ServiceAccount.
    pub(crate) service_accounts: BTreeMap<ServiceAccountRef, Annotations>,
    /// Pods and objects that create pods, in the order of the files.
    pub(crate) workloads: Vec<Workload>,
}

/// A Pod, or an object that creates pods.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) service_account: ServiceAccountRef,
    /// The pod as it would be sent to the API server.
    pub(crate) pod: Value,
}

/// Why a file cannot be used, and where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// The text is not YAML. `place` is `, line 3, column 4`, or empty if it is unknown.
    #[error("{file}{place}: {reason}")]
    Syntax { file: String, place: String, reason: String },
    /// A document is YAML and not a usable manifest. `document` counts from 1.
    #[error("{file}, document {document}: {source}")]
    Content { file: String, document: usize, source: ContentError },
}

/// What is wrong with a document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    #[error("it has no `kind`; is it a Kubernetes manifest?")]
    NoKind,
    #[error("it has no metadata.name")]
    NoName,
    #[error("the {kind} has no {pointer}")]
    NoTemplate { kind: String, pointer: &'static str },
    #[error("the {kind} {name} has no pod spec")]
    NoPodSpec { kind: String, name: String },
    #[error("ServiceAccount {namespace}/{name}: {error}")]
    ServiceAccountName { namespace: String, name: String, error: ServiceAccountError },
    #[error("{pointer} is not a map")]
    NotAMap { pointer: &'static str },
    #[error("{pointer}: the value of {key} is not a string; put it in quotes")]
    NotAString { pointer: &'static str, key: String },
}

/// The name and text of a file.
pub(crate) struct SourceFile {
    pub(crate) file: String,
    pub(crate) text: String,
}

impl Manifests {
    /// Reads files of YAML or JSON with any number of documents. Ignores kinds that neither create
    /// pods nor decide their identity.
    pub(crate) fn read(sources: &[SourceFile]) -> Result<Self, ManifestError> {
        let mut manifests = Self::default();
        for source in sources {
            for (index, document) in documents(source)?.into_iter().enumerate() {
                let added = manifests.add(&document);
                added.map_err(|error| ManifestError::Content {
                    file: source.file.clone(),
                    document: index + 1,
                    source: error,
                })?;
            }
        }
        Ok(manifests)
    }

    fn add(&mut self, document: &Value) -> Result<(), ContentError> {
        if document.is_null() {
            return Ok(());
        }
        let kind = text(document, "/kind").ok_or(ContentError::NoKind)?.to_owned();
        if let Some(items) = document.pointer("/items").and_then(Value::as_array) {
            return items.iter().try_for_each(|item| self.add(item));
        }
        match kind.as_str() {
            "Namespace" => {
                let name = name(document)?.to_owned();
                let annotations = string_map(document, "/metadata/annotations")?;
                let guard_rail = GuardRail::read(|key| annotations.get(key).map(String::as_str));
                self.guard_rails.insert(name.clone(), guard_rail);
                self.namespaces.insert(name, string_map(document, "/metadata/labels")?);
            }
            "ServiceAccount" => {
                let service_account = service_account(namespace(document), name(document)?)?;
                let annotations = string_map(document, "/metadata/annotations")?;
                self.service_accounts.insert(service_account, annotations);
            }
            _ => self.workloads.extend(workload(&kind, document)?),
        }
        Ok(())
    }
}

/// The documents of a file; empty ones are null.
pub(crate) fn documents(source: &SourceFile) -> Result<Vec<Value>, ManifestError> {
    let failed = |error: &serde_saphyr::Error| ManifestError::Syntax {
        file: source.file.clone(),
        place: error
            .location()
            .map(|at| format!(", line {}, column {}", at.line(), at.column()))
            .unwrap_or_default(),
        reason: reason(error),
    };
    serde_saphyr::from_multiple(&source.text).map_err(|error| failed(&error))
}

/// The first line of the error without its position, which [`ManifestError::Syntax`] has already.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.lines().next().unwrap_or("it is not YAML").trim().to_owned();
    match text.split_once(" at line ") {
        Some((reason, _)) => reason.trim_end_matches([',', ':']).to_owned(),
        None => text,
    }
}

/// The JSON pointer to the pod template of a kind, or `None` if the kind creates no pods.
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

/// Reads a workload, or `None` if the kind creates no pods.
pub(crate) fn workload(kind: &str, document: &Value) -> Result<Option<Workload>, ContentError> {
    let Some(pointer) = template(kind) else {
        return Ok(None);
    };
    let (name, namespace) = (name(document)?, namespace(document));
    let no_template = || ContentError::NoTemplate { kind: kind.to_owned(), pointer };
    let template = document.pointer(pointer).ok_or_else(no_template)?;
    let spec = template.get("spec").filter(|spec| spec.is_object());
    let mut spec = spec
        .cloned()
        .ok_or_else(|| ContentError::NoPodSpec { kind: kind.to_owned(), name: name.to_owned() })?;
    let account_name = text(&spec, "/serviceAccountName").unwrap_or("default").to_owned();
    spec["serviceAccountName"] = account_name.clone().into();
    let mut metadata = template.get("metadata").and_then(Value::as_object).cloned();
    let metadata = metadata.get_or_insert_with(Map::new);
    let pod_name = if kind == "Pod" { name.to_owned() } else { format!("{name}-demo") };
    metadata.insert("name".into(), pod_name.into());
    metadata.insert("namespace".into(), namespace.into());
    Ok(Some(Workload {
        kind: kind.to_owned(),
        name: name.to_owned(),
        service_account: service_account(namespace, &account_name)?,
        pod: json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }),
    }))
}

fn service_account(namespace: &str, name: &str) -> Result<ServiceAccountRef, ContentError> {
    ServiceAccountRef::new(namespace, name).map_err(|error| ContentError::ServiceAccountName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        error,
    })
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn name(document: &Value) -> Result<&str, ContentError> {
    text(document, "/metadata/name").ok_or(ContentError::NoName)
}

fn namespace(document: &Value) -> &str {
    text(document, "/metadata/namespace").unwrap_or("default")
}

fn string_map(document: &Value, pointer: &'static str) -> Result<Annotations, ContentError> {
    let Some(map) = document.pointer(pointer).filter(|map| !map.is_null()) else {
        return Ok(Annotations::new());
    };
    let map = map.as_object().ok_or(ContentError::NotAMap { pointer })?;
    let pairs = map.iter().map(|(key, value)| match value.as_str() {
        Some(text) => Ok((key.clone(), text.to_owned())),
        None => Err(ContentError::NotAString { pointer, key: key.clone() }),
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
