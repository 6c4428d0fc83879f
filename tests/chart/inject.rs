//! `helm template | podrole inject | kubectl create`: what the API server gets, and what it does not.

use std::{
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use podrole_tests::{cluster::Cluster, project};
use serde_json::Value;

use crate::helm;

const CHART: [(&str, &str); 3] = [
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
    ("values.yaml", "role: arn:aws:iam::111122223333:role/shop\n"),
    (
        "templates/all.yaml",
        "apiVersion: v1
kind: ServiceAccount
metadata:
  name: shop
  annotations:
    eks.amazonaws.com/role-arn: {{ .Values.role }}
---
# {{ .Release.Name }} sells things
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
    spec:
      serviceAccountName: shop
      containers:
        - name: shop
          image: shop   # none
          command: [\"sh\", \"-c\", \"run\"]
      volumes:
        - name: keys
          secret:
            secretName: keys
            defaultMode: 0400
---
apiVersion: v1
kind: Pod
metadata:
  name: shop-test
spec:
  containers:
    - name: wget
      image: busybox
",
    ),
];

/// `helm template` of the chart.
fn rendered(set: &[&str]) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("templates"))?;
    for (name, text) in CHART {
        fs::write(folder.path().join(name), text)?;
    }
    let chart = folder.path().display().to_string();
    helm::helm(&[&["template", "shop", &chart], set].concat(), None)
}

/// `podrole inject -f -`.
fn inject(manifests: &str) -> anyhow::Result<Output> {
    let mut command = Command::new(project::binary("podrole")?);
    command.args(["inject", "-f", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(manifests.as_bytes())?;
    }
    Ok(child.wait_with_output()?)
}

#[tokio::test]
async fn a_rendered_chart_goes_through_inject_to_the_api_server() {
    let manifests = rendered(&[]).unwrap();
    let output = inject(&manifests).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let line =
        "Deployment default/shop: injected web-identity, arn:aws:iam::111122223333:role/shop";
    assert!(stderr.contains(line) && stderr.contains("Pod default/shop-test: no role"), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    for line in manifests.lines() {
        assert!(lines.any(|after| after == line), "{line} is lost: {text}");
    }
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("pipe", &[]).await.unwrap();
    let client = cluster.client().await.unwrap();
    let mut created = Vec::new();
    for document in text.split("---\n").filter(|document| document.contains("kind: ")) {
        let (group, resource) = match document {
            it if it.contains("kind: Deployment") => ("apis/apps/v1", "deployments"),
            it if it.contains("kind: Pod") => ("api/v1", "pods"),
            _ => ("api/v1", "serviceaccounts"),
        };
        if resource == "pods" {
            namespace.service_account("default", &[]).await.unwrap();
        }
        let path = format!("/{group}/namespaces/{}/{resource}?dryRun=All", namespace.name());
        let request = http::Request::post(path).header("content-type", "application/yaml");
        let request = request.body(document.as_bytes().to_vec()).unwrap();
        created.push(client.request::<Value>(request).await.unwrap());
    }
    assert_eq!(created.len(), 3);
    let deployment = created.iter().find(|it| it["spec"]["template"].is_object()).unwrap();
    let spec = &deployment["spec"]["template"]["spec"];
    assert_eq!(spec["volumes"][0]["secret"]["defaultMode"], 256);
    assert_eq!(spec["volumes"][1]["name"], "aws-iam-token");
    assert_eq!(spec["containers"][0]["env"][0]["name"], "AWS_ROLE_ARN");
}

#[test]
fn a_chart_whose_role_is_wrong_leaves_the_pipe_empty() {
    let manifests = rendered(&["--set", "role=shop"]).unwrap();
    let output = inject(&manifests).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty() && stderr.contains("<stdin>:"), "{stderr}");
    assert!(stderr.contains("Deployment default/shop: denied: "), "{stderr}");
}
