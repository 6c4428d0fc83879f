//! Rendered manifests as objects.

use anyhow::Context as _;
use serde_json::Value;

/// The objects of a stream of YAML documents.
pub(crate) fn read(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The object of this kind and name.
pub(crate) fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> anyhow::Result<&'a Value> {
    let found = objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    found.with_context(|| format!("no {kind} {name} is rendered"))
}

/// A pod as the controller of `workload` would make it, under `name`.
pub(crate) fn pod(workload: &Value, name: &str) -> Value {
    let template = &workload["spec"]["template"];
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    })
}
