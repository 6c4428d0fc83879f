//! What files may contain, and the text of an error in them.

use super::{sources::DEFAULT_NAMESPACE, *};

fn read(text: &str) -> Manifests {
    let source = SourceFile { file: "a.yaml".into(), text: text.into(), empty: None };
    Manifests::read(vec![source], DEFAULT_NAMESPACE)
}

#[test]
fn every_kind_that_creates_pods_is_read() {
    let spec = "{serviceAccountName: app, containers: [{name: c}]}";
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "Job"] {
        let text = format!(
            "kind: {kind}\nmetadata: {{name: w, namespace: shop}}\nspec: {{template: {{spec: {spec}}}}}"
        );
        let workload = read(&text).workloads.remove(0);
        assert_eq!(workload.service_account.to_string(), "shop/app", "{kind}");
        assert_eq!(workload.pod["kind"], "Pod");
        assert_eq!(workload.pod["metadata"]["namespace"], "shop");
    }
    let text = format!(
        "kind: CronJob\nmetadata: {{name: w}}\nspec: {{jobTemplate: {{spec: {{template: {{spec: {spec}}}}}}}}}"
    );
    assert_eq!(read(&text).workloads[0].service_account.to_string(), "default/app");
    let text = format!("kind: Pod\nmetadata: {{name: p}}\nspec: {spec}");
    assert_eq!(read(&text).workloads[0].pod["metadata"]["name"], "p");
}

#[test]
fn the_group_decides_whether_a_kind_is_a_workload() {
    let object = |version: &str, kind: &str| {
        let text = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: w}}\n\
             spec: {{template: {{spec: {{containers: [{{name: c}}]}}}}}}"
        );
        let manifests = read(&text);
        (manifests.workloads.len(), manifests.makers.len())
    };
    assert_eq!(object("apps/v1", "Deployment"), (1, 0));
    assert_eq!(object("batch.volcano.sh/v1alpha1", "Job"), (0, 1));
    assert_eq!(object("serving.knative.dev/v1", "Service"), (0, 1));
    assert_eq!(object("kyverno.io/v1", "ClusterPolicy"), (0, 0));
    let pod = "apiVersion: metrics.k8s.io/v1\nkind: Pod\nmetadata: {name: w}\nspec: {nodeName: a}";
    assert!(read(pod).workloads.is_empty());
}

#[test]
fn lists_many_documents_and_json_are_read() {
    let text = r#"{"kind": "List", "items": [
            {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"a": "b"}}},
            {"kind": "ServiceAccount", "metadata": {"name": "app", "namespace": "shop"}}]}
---
---
kind: Service
metadata: {name: web}
---
kind: PodList
items: [{metadata: {name: p}, spec: {containers: []}}]
"#;
    let manifests = read(text);
    assert!(manifests.errors.is_empty(), "{:?}", manifests.errors);
    assert_eq!(manifests.namespaces["shop"]["a"], "b");
    assert_eq!(manifests.service_accounts.len(), 1);
    assert_eq!(manifests.workloads.len(), 1);
}

#[test]
fn an_error_names_file_line_and_reason() {
    for (manifest, line, word) in [
        ("kind: Pod\nmetadata: {name: a\nspec: ]\n", 3, "expected"),
        ("\nmetadata: {}", 2, "kind"),
        ("kind: ServiceAccount\nmetadata: {name: A_B}", 2, "ServiceAccount default/A_B: "),
        ("kind: Namespace\nmetadata: {name: a, labels: {\nx: true}}", 3, "metadata.labels x: true"),
    ] {
        let manifests = read(manifest);
        let text = manifests.errors[0].to_string();
        assert!(text.starts_with(&format!("a.yaml:{line}: ")) && text.contains(word), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn values_that_the_api_server_fills_in_are_filled_in() {
    let text =
        "kind: Pod\nmetadata: {generateName: p-, annotations: {a: }}\nspec: {serviceAccount: app}";
    let workload = read(text).workloads.remove(0);
    assert_eq!(workload.service_account.to_string(), "default/app");
    assert_eq!(workload.pod["metadata"]["annotations"]["a"], "");
    assert_eq!(workload.to_string(), "Pod default/p-");
}
