//! `podrole inject --kubeconfig`: ServiceAccounts and guard-rails of a cluster.

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{cluster::Cluster, project};
use serde_json::json;

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
