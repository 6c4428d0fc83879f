//! A Pod, or an object of Kubernetes' own that creates pods.

use std::fmt;

use podrole_identity::ServiceAccountRef;
use serde_json::{Map, Value, json};

use super::{ContentError, Object, object::text};

/// A Pod, or an object that creates pods.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) object: Object,
    pub(crate) service_account: ServiceAccountRef,
    /// The pod as it would be sent to the API server.
    pub(crate) pod: Value,
    /// JSON pointer to the pod or its template in the document.
    pub(crate) template: String,
}

impl Workload {
    /// Reads a workload, or returns the object if it has no pod spec, as in a patch of Kustomize.
    pub(super) fn read(
        object: Object,
        pointer: &str,
    ) -> Result<Result<Self, Object>, (String, ContentError)> {
        let template = object.value.pointer(pointer);
        let Some(template) = template.filter(|it| it.get("spec").is_some_and(Value::is_object))
        else {
            return Ok(Err(object));
        };
        let mut spec = template["spec"].clone();
        // The API server copies the field's old name.
        let name = text(&spec, "/serviceAccountName").or_else(|| text(&spec, "/serviceAccount"));
        let name = name.unwrap_or("default").to_owned();
        spec["serviceAccountName"] = name.clone().into();
        let mut metadata = template.get("metadata").and_then(Value::as_object).cloned();
        let metadata = metadata.get_or_insert_with(Map::new);
        for field in ["labels", "annotations"] {
            if let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) {
                map.values_mut().filter(|value| value.is_null()).for_each(|it| *it = "".into());
            }
        }
        // Most controllers only give a prefix.
        match object.kind.as_str() {
            "Pod" => {}
            "StatefulSet" => {
                metadata.insert("name".into(), format!("{}-0", object.name).into());
            }
            _ => {
                metadata.remove("name");
                metadata.insert("generateName".into(), format!("{}-", object.name).into());
            }
        }
        metadata.insert("namespace".into(), object.namespace.clone().into());
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec });
        let template = format!("{}{pointer}", object.place.pointer);
        let service_account = object.service_account(&name);
        let at = format!("{pointer}/spec/serviceAccountName");
        let service_account = service_account.map_err(|(_, error)| (at, error))?;
        Ok(Ok(Self { service_account, pod, template, object }))
    }

    /// `kind/name`, as on kubectl's command line.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let Object { kind, name: own, .. } = &self.object;
        name == own || name.eq_ignore_ascii_case(&format!("{kind}/{own}"))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}
