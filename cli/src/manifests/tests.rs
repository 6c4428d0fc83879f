//! What files may contain, and the text of an error in them.

use super::*;

fn read(text: &str) -> Result<Manifests, ManifestError> {
    Manifests::read(&[SourceFile { file: "a.yaml".into(), text: text.into() }])
}

#[test]
fn every_kind_that_creates_pods_is_read() {
    let spec = "{serviceAccountName: app, containers: [{name: c}]}";
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "Job"] {
        let text = format!(
            "kind: {kind}\nmetadata: {{name: w, namespace: shop}}\nspec: {{template: {{spec: {spec}}}}}"
        );
        let workload = read(&text).unwrap().workloads.remove(0);
        assert_eq!(workload.service_account.to_string(), "shop/app", "{kind}");
        assert_eq!(workload.pod["kind"], "Pod");
        assert_eq!(workload.pod["metadata"]["namespace"], "shop");
    }
    let text = format!(
        "kind: CronJob\nmetadata: {{name: w}}\nspec: {{jobTemplate: {{spec: {{template: {{spec: {spec}}}}}}}}}"
    );
    assert_eq!(read(&text).unwrap().workloads[0].service_account.to_string(), "default/app");
    let text = format!("kind: Pod\nmetadata: {{name: p}}\nspec: {spec}");
    assert_eq!(read(&text).unwrap().workloads[0].pod["metadata"]["name"], "p");
}

#[test]
fn json_lists_and_many_documents_are_read() {
    let text = r#"{"kind": "List", "items": [
            {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"a": "b"}}},
            {"kind": "ServiceAccount", "metadata": {"name": "app", "namespace": "shop"}}]}
---
---
kind: Service
metadata: {name: web}
"#;
    let manifests = read(text).unwrap();
    assert_eq!(manifests.namespaces["shop"]["a"], "b");
    assert_eq!(manifests.service_accounts.len(), 1);
    assert!(manifests.workloads.is_empty());
}

#[test]
fn an_error_names_file_line_and_reason() {
    let text = read("kind: Pod\nmetadata: {name: a\nspec: ]\n").unwrap_err().to_string();
    assert!(text.starts_with("a.yaml, line "), "{text}");
    assert!(!text.contains('\n'), "{text}");
    for (manifest, word) in [
        ("metadata: {}", "kind"),
        ("kind: Pod\nspec: {}", "metadata.name"),
        ("kind: Deployment\nmetadata: {name: a}", "/spec/template"),
        ("kind: Pod\nmetadata: {name: a}", "no pod spec"),
        ("kind: ServiceAccount\nmetadata: {name: A_B}", "a-z"),
        ("kind: Namespace\nmetadata: {name: a, labels: {x: true}}", "quotes"),
    ] {
        let text = read(manifest).unwrap_err().to_string();
        assert!(text.starts_with("a.yaml, document 1: ") && text.contains(word), "{text}");
    }
}
