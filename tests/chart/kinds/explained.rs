//! `kubectl explain` and `kubectl get`: each field has a description with an example, and each column shows something.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{Kind, client};
use crate::{helm, objects};

/// The descriptions that the API server publishes are those of the chart.
#[tokio::test]
async fn every_field_is_explained_with_an_example() -> anyhow::Result<()> {
    let client = client().await?;
    let request = http::Request::get("/openapi/v3/apis/podrole.io/v1alpha1").body(Vec::new())?;
    let published: Value = serde_json::from_str(&client.request_text(request).await?)?;
    let mut seen = 0;
    for kind in Kind::ALL {
        let name = format!("io.podrole.v1alpha1.{}", kind.name());
        let schema = &published["components"]["schemas"][name];
        ensure!(schema["description"].is_string(), "{kind:?} has no description");
        for field in ["spec", "status"] {
            each(&schema["properties"][field], field, &mut |path, schema| {
                seen += 1;
                let description = schema["description"].as_str();
                let description =
                    description.with_context(|| format!("{kind:?} {path}: no description"))?;
                let (text, example) =
                    parts(description).with_context(|| format!("{path}: no example"))?;
                ensure!(text.ends_with('.') && !text.contains("  "), "{kind:?} {path}: {text:?}");
                ensure!(!example.trim().is_empty(), "{kind:?} {path}: an empty example");
                Ok(())
            })?;
        }
    }
    ensure!(seen > 70, "only {seen} fields");
    Ok(())
}

/// A description without its example, and the example.
pub(super) fn parts(description: &str) -> Option<(&str, &str)> {
    description.split_once(" Example: ")
}

/// Calls `see` for the schema itself and each property below it.
fn each(
    schema: &Value,
    path: &str,
    see: &mut impl FnMut(&str, &Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    see(path, schema)?;
    let items = &schema["items"]["properties"];
    for (properties, joint) in [(&schema["properties"], "."), (items, "[].")] {
        for (name, property) in properties.as_object().into_iter().flatten() {
            each(property, &format!("{path}{joint}{name}"), see)?;
        }
    }
    Ok(())
}

#[test]
fn each_column_is_a_field_of_the_schema() -> anyhow::Result<()> {
    let rendered = objects::read(&helm::template(&[])?)?;
    for (kind, shown, wide) in [
        (
            Kind::Association,
            &["Namespace", "ServiceAccount", "Role", "Accepted", "Reason", "Age"][..],
            &["Target", "Duration"][..],
        ),
        (
            Kind::Pattern,
            &["Priority", "Role", "Accepted", "Reason", "Age"],
            &["Namespaces", "ServiceAccounts", "Target", "Duration"],
        ),
        (Kind::Guardrail, &["Namespaces", "Accepted", "Reason", "Age"], &["Roles"]),
    ] {
        let name = format!("{}s.podrole.io", kind.name().to_lowercase());
        let crd = objects::find(&rendered, "CustomResourceDefinition", &name)?;
        let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array();
        let columns = columns.context("no columns")?;
        let of = |is_wide: bool| {
            let columns = columns.iter().filter(move |it| (it["priority"] == 1) == is_wide);
            columns.filter_map(|it| it["name"].as_str()).collect::<Vec<_>>()
        };
        ensure!(of(false) == shown && of(true) == wide, "{kind:?}: {:?} {:?}", of(false), of(true));
        for column in columns {
            let path = column["jsonPath"].as_str().unwrap_or_default();
            let Some(field) = path.strip_prefix(".spec.") else {
                let known =
                    [".status.conditions[?(@.type==\"Accepted\")]", ".metadata.creationTimestamp"];
                ensure!(known.iter().any(|it| path.starts_with(it)), "{kind:?}: {path}");
                continue;
            };
            let schema = kind.schema()?;
            ensure!(
                schema["properties"]["spec"]["properties"][field].is_object(),
                "{kind:?}: {path}"
            );
        }
        ensure!(crd["spec"]["names"]["categories"][0] == "podrole", "{kind:?} is in no category");
    }
    Ok(())
}

/// What `kubectl get` prints.
#[tokio::test]
async fn a_table_shows_the_role_and_the_verdict() -> anyhow::Result<()> {
    let client = client().await?;
    let api = Kind::Association.api(&client);
    let object = Kind::Association.object(&serde_json::json!({"spec": {"namespace": "table"}}))?;
    api.create(&kube::api::PostParams::default(), &object).await?;
    let status = serde_json::json!({"status": {"conditions": [{"type": "Accepted", "status": "False",
        "reason": "NotPermitted", "message": "no guard-rail permits the role",
        "lastTransitionTime": "2026-01-31T12:00:00Z"}]}});
    let merge = kube::api::Patch::Merge(&status);
    api.patch_status("table.app", &kube::api::PatchParams::default(), &merge).await?;
    let request = http::Request::get("/apis/podrole.io/v1alpha1/podidentityassociations/table.app")
        .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())?;
    let table: Value = serde_json::from_str(&client.request_text(request).await?)?;
    let cells = &table["rows"][0]["cells"];
    let columns = table["columnDefinitions"].as_array().context("no columns")?;
    let cell = |name: &str| {
        let at = columns.iter().position(|it| it["name"] == name);
        at.map_or(Value::Null, |at| cells[at].clone())
    };
    for (column, value) in [
        ("Namespace", "table"),
        ("ServiceAccount", "app"),
        ("Role", super::ROLE),
        ("Accepted", "False"),
        ("Reason", "NotPermitted"),
    ] {
        ensure!(cell(column) == value, "{column}: {cells}");
    }
    api.delete("table.app", &kube::api::DeleteParams::default()).await?;
    Ok(())
}
