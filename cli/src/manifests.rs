//! Reads from the user's manifests what decides a pod's AWS identity.

mod error;
mod makers;
mod named;
mod object;
mod sources;
mod workload;

use std::collections::BTreeMap;

use podrole_identity::{
    API_GROUP, Annotations, InjectionDefault, Kind, Labels, NamespaceFacts, ServiceAccountRef,
};
use serde_json::Value;

use crate::yaml;

pub(crate) use error::{ContentError, ManifestError, not_a_string};
pub(crate) use makers::NOT_SEEN;
pub(crate) use object::{Object, Place};
pub(crate) use sources::{SourceArgs, SourceFile};
pub(crate) use workload::Workload;

/// All files, and the relevant objects in them.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    pub(crate) sources: Vec<SourceFile>,
    /// The documents of all files that can be read, each with the index of its file.
    pub(crate) documents: Vec<(usize, yaml::Document)>,
    /// The labels of each Namespace.
    pub(crate) namespaces: BTreeMap<String, Annotations>,
    /// The guard-rail of each Namespace.
    pub(crate) guard_rails: BTreeMap<String, NamespaceFacts>,
    /// The annotations of each ServiceAccount.
    pub(crate) service_accounts: BTreeMap<ServiceAccountRef, Annotations>,
    /// The labels of each ServiceAccount.
    pub(crate) service_account_labels: BTreeMap<ServiceAccountRef, Labels>,
    /// The spec of each object of podrole's own kinds, by kind and name.
    pub(crate) objects: BTreeMap<(Kind, String), Value>,
    /// The place of each Namespace and ServiceAccount, by kind and name as they are shown.
    places: BTreeMap<String, String>,
    /// The place of the error in each Namespace and ServiceAccount that cannot be read, by kind and
    /// name as they are shown.
    unreadable: BTreeMap<String, String>,
    /// Pods and objects that create pods, in the order of the files.
    pub(crate) workloads: Vec<Workload>,
    /// Workloads without a pod spec, such as patches of Kustomize.
    pub(crate) bare: Vec<Object>,
    /// Objects of other kinds that create pods, which the webhook sees only when they are created.
    pub(crate) makers: Vec<Object>,
    /// What else the webhook checks when it is applied: Namespaces and ServiceAccounts.
    pub(crate) checked: Vec<Object>,
    /// What cannot be used, and what kubectl would refuse too.
    pub(crate) errors: Vec<ManifestError>,
    /// What kubectl accepts and its author hardly means.
    pub(crate) warnings: Vec<ManifestError>,
}

impl Manifests {
    /// Reads files of YAML or JSON with any number of documents. Kinds that neither create pods nor
    /// decide their identity are ignored. An error in one document does not stop the others.
    pub(crate) fn read(sources: Vec<SourceFile>, namespace: &str) -> Self {
        let mut manifests = Self::default();
        for (index, source) in sources.iter().enumerate() {
            for document in yaml::documents(&source.text) {
                match document {
                    Ok(document) => {
                        manifests.add_document(&source.file, &document, namespace);
                        manifests.documents.push((index, document));
                    }
                    Err(error) => manifests.errors.push(ManifestError::syntax(&source.file, error)),
                }
            }
        }
        // One empty file beside others is none, as for kubectl.
        let nothing = manifests.documents.is_empty() && manifests.errors.is_empty();
        let empty = sources.iter().filter(|source| nothing || source.empty.is_some());
        manifests.errors.extend(empty.map(ManifestError::no_manifests));
        manifests.sources = sources;
        manifests
    }

    /// The file and line of what a warning about an object names. `pod` is the JSON pointer to the
    /// object's pod, or to the object itself.
    pub(crate) fn place_of(&self, object: &Object, pod: &str, warning: &str) -> String {
        let place = &object.place;
        let document = self.documents.get(place.document).map(|(_, document)| document);
        let line =
            document.and_then(|document| named::line(document, &place.pointer, pod, warning));
        format!("{}:{}", place.file, line.unwrap_or(place.line))
    }

    /// The place of the error, if a Namespace or ServiceAccount of the files cannot be read. `name` is
    /// its kind and name, as it is shown.
    pub(crate) fn error_in(&self, name: &str) -> Option<&str> {
        self.unreadable.get(name).map(String::as_str)
    }

    fn add_document(&mut self, file: &str, document: &yaml::Document, namespace: &str) {
        for yaml::Duplicate { key, lines: (first, last) } in &document.duplicates {
            let error = ContentError::Duplicate { key: key.clone(), first: *first };
            self.warnings.push(ManifestError::new(file, *last, error));
        }
        let place = Place {
            file: file.to_owned(),
            line: document.tree.line(""),
            document: self.documents.len(),
            pointer: String::new(),
        };
        self.add(&document.value, place, document, namespace);
    }

    /// Adds an object, or each object of a list.
    fn add(&mut self, value: &Value, place: Place, document: &yaml::Document, namespace: &str) {
        let object = match Object::read(value, place, namespace) {
            Ok(object) => object,
            Err(error) => return self.errors.push(error),
        };
        if let Some(items) = value.get("items").and_then(Value::as_array)
            && object.kind.ends_with("List")
        {
            let kind = object.kind.trim_end_matches("List");
            for (index, item) in items.iter().enumerate() {
                let mut item = item.clone();
                // The items of a DeploymentList need not name their kind.
                if let Some(item) = item.as_object_mut().filter(|_| !kind.is_empty()) {
                    let version = value.get("apiVersion").cloned().unwrap_or_default();
                    item.entry("kind").or_insert_with(|| kind.into());
                    item.entry("apiVersion").or_insert(version);
                }
                let pointer = format!("{}/items/{index}", object.place.pointer);
                let line = document.tree.line(&pointer);
                let place = Place { line, pointer, ..object.place.clone() };
                self.add(&item, place, document, namespace);
            }
            return;
        }
        if let Err((pointer, error)) = self.add_object(object.clone()) {
            let line = document.tree.line(&format!("{}{pointer}", object.place.pointer));
            let file = &object.place.file;
            self.unreadable.insert(object.to_string(), format!("{file}:{line}"));
            self.errors.push(ManifestError::new(file, line, error).of(&object));
        }
    }

    /// Adds what the webhook checks, with a warning if the files have it already.
    fn check(&mut self, object: Object) {
        let Place { file, line, .. } = &object.place;
        if let Some(before) = self.places.insert(object.to_string(), format!("{file}:{line}")) {
            let error = ContentError::Repeated { before };
            self.warnings.push(ManifestError::new(file, *line, error).of(&object));
        }
        self.checked.push(object);
    }

    /// Returns the place of an error within the object.
    fn add_object(&mut self, object: Object) -> Result<(), (String, ContentError)> {
        match (object.group.as_str(), object.kind.as_str()) {
            ("", "Namespace") => {
                let annotations = object.strings("/metadata/annotations")?;
                let labels = object.strings("/metadata/labels")?;
                let default = InjectionDefault::Labelled;
                let guard_rail = NamespaceFacts::read(labels.clone(), &annotations, default);
                self.guard_rails.insert(object.name.clone(), guard_rail);
                self.namespaces.insert(object.name.clone(), labels);
                self.check(object);
            }
            ("", "ServiceAccount") => {
                let service_account = object.service_account(&object.name)?;
                let annotations = object.strings("/metadata/annotations")?;
                let labels = object.strings("/metadata/labels")?;
                self.service_account_labels.insert(service_account.clone(), labels);
                self.service_accounts.insert(service_account, annotations);
                self.check(object);
            }
            (API_GROUP, kind) if Kind::of(kind).is_some() => {
                let spec = object.value.get("spec").cloned().unwrap_or_default();
                if let Some(kind) = Kind::of(kind) {
                    self.objects.insert((kind, object.name.clone()), spec);
                }
                self.check(object);
            }
            _ => match object.template() {
                Some(pointer) => match Workload::read(object, pointer)? {
                    Ok(workload) => self.workloads.push(workload),
                    Err(object) => self.bare.push(object),
                },
                None if makers::makes_pods(&object) => self.makers.push(object),
                None => {}
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
