//! `podrole inject`: with the ServiceAccounts and guard-rails of a cluster, and its output as an API
//! server reads it.

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{cluster::Cluster, namespace::TestNamespace, project};
use serde_json::{Value, json};

use crate::daemons::{output, role};

#[tokio::test]
async fn the_clusters_service_accounts_decide() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("inject", &[]).await.unwrap();
    let arn = role();
    namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
    let pod = |account: &str| {
        json!({"kind": "Pod", "metadata": {"name": account, "namespace": namespace.name()},
            "spec": {"serviceAccountName": account, "containers": [{"name": "c"}]}})
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pods.json");
    let list = json!({"kind": "List", "items": [pod("app"), pod("other")]});
    std::fs::write(&file, list.to_string()).unwrap();
    let (file, kubeconfig) = (file.display().to_string(), cluster.kubeconfig().to_owned());
    let kubeconfig = kubeconfig.display().to_string();
    let arguments = ["inject", "-f", &file, "--kubeconfig", &kubeconfig, "--why"];
    let podrole = project::binary("podrole").unwrap();
    let output_text = output(&podrole, &arguments, &[]).await.unwrap();
    assert!(output_text.contains(&format!("web-identity as {arn}")), "{output_text}");
    assert!(output_text.contains("no role"), "{output_text}");

    let annotations = json!({"podrole.io/permitted-secrets": "mq"});
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    let api = Api::<Namespace>::all(namespace.client());
    api.patch(namespace.name(), &PatchParams::default(), &patch).await.unwrap();
    namespace.service_account("asking", &[("secret.podrole.io/db", "/etc/db")]).await.unwrap();
    std::fs::write(&file, pod("asking").to_string()).unwrap();
    let output_text = output(&podrole, &arguments, &[]).await.unwrap();
    let warning = "podrole.io/permitted-secrets has no pattern for db";
    assert!(output_text.contains(warning), "{output_text}");
}

/// Creates an object of YAML as a trial. The API server reads it with the library of kubectl.
async fn trial(namespace: &TestNamespace<'_>, yaml: &str, path: &str) -> anyhow::Result<Value> {
    let path = format!("{path}?dryRun=All");
    let request = http::Request::post(path).header("content-type", "application/yaml");
    let request = request.body(yaml.as_bytes().to_vec())?;
    Ok(namespace.client().request(request).await?)
}

/// Removes what the injection adds, and what differs between two trials.
fn without_additions(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for field in ["creationTimestamp", "uid", "managedFields", "controller-uid", "name"] {
                let generated = field != "name" || map.contains_key("generateName");
                if generated {
                    map.remove(field);
                }
            }
            map.retain(|key, _| !key.ends_with("controller-uid") && !key.ends_with("job-name"));
            map.values_mut().for_each(without_additions);
            map.retain(|_, value| value.as_array().is_none_or(|items| !items.is_empty()));
        }
        Value::Array(items) => {
            let is_added = |item: &Value| {
                let name = item["name"].as_str().unwrap_or_default();
                let of_aws = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "aws-iam-token"];
                of_aws.contains(&name) || name.starts_with("kube-api-access-")
            };
            items.retain(|item| !is_added(item));
            items.iter_mut().for_each(without_additions);
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_api_server_stores_the_output_as_the_input_and_its_additions() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("pipe", &[]).await.unwrap();
    namespace.service_account("app", &[]).await.unwrap();
    let podrole = project::binary("podrole").unwrap();
    for name in [
        "optional-secret",
        "mode-0400",
        "mode-0755",
        "generate-name-job",
        "bom-second",
        "volcano-job",
        "dup-label",
        "null-annotation",
        "alias-serviceaccount",
        "comments-flow-last",
        "comments-env-null",
        "comments-folded",
    ] {
        let file = project::root().join(format!("cli/tests/cases/{name}.yaml"));
        let input = std::fs::read_to_string(&file).unwrap();
        let arguments = ["inject", "-f", &file.display().to_string()];
        let output = output(&podrole, &arguments, &[]).await.unwrap();
        let (group, resource) = match name {
            "generate-name-job" => ("apis/batch/v1", "jobs"),
            _ => ("api/v1", "pods"),
        };
        let path = format!("/{group}/namespaces/{}/{resource}", namespace.name());
        let mut stored = Vec::new();
        for text in [&input, &output] {
            let document = text.split("---\n").nth(1).unwrap();
            stored.push(trial(&namespace, document, &path).await.unwrap());
        }
        assert!(stored[1].to_string().contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{name}");
        if let Some(octal) = name.strip_prefix("mode-") {
            let mode = format!("\"defaultMode\":{}", i64::from_str_radix(octal, 8).unwrap());
            assert!(stored[1].to_string().contains(&mode), "{name}: {}", stored[1]);
        }
        stored.iter_mut().for_each(without_additions);
        assert_eq!(stored[0], stored[1], "{name}");
    }
}
