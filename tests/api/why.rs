//! `podrole why` on a real API server: a mistake, the effect of the printed commands, and a caller with few rights.

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    authentication::v1::TokenRequest,
    core::v1::{Namespace, Pod, ServiceAccount},
    rbac::v1::RoleBinding,
};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams, PostParams},
};
use podrole_tests::{cluster::Cluster, namespace::TestNamespace, project};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    admission::{asked, register},
    daemons::{self, role},
};

/// The exit code, the text and the report.
struct Why {
    code: Option<i32>,
    text: String,
    report: Value,
}

impl Why {
    async fn about(namespace: &TestNamespace<'_>, kubeconfig: &std::path::Path) -> Self {
        let run = async |format: &str| {
            let mut command = tokio::process::Command::new(project::binary("podrole").unwrap());
            // The caller's own settings must not be the cluster's.
            command.env_clear().env("AWS_REGION", "cn-north-1").args([
                "why",
                "deployment/web",
                "-n",
                namespace.name(),
                "--injection-default=labelled",
                "-o",
                format,
            ]);
            command.arg("--kubeconfig").arg(kubeconfig).output().await.unwrap()
        };
        let (text, report) = (run("text").await, run("json").await);
        assert_eq!(text.status, report.status);
        Self {
            code: text.status.code(),
            text: String::from_utf8(text.stdout).unwrap(),
            report: serde_json::from_slice(&report.stdout).unwrap(),
        }
    }

    /// The states of a link's findings.
    fn states(&self, link: &str) -> Vec<&str> {
        let findings = self.report["findings"].as_array().unwrap().iter();
        findings.filter(|it| it["link"] == link).filter_map(|it| it["state"].as_str()).collect()
    }
}

async fn create<K>(namespace: &TestNamespace<'_>, object: Value) -> K
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let api = Api::<K>::namespaced(namespace.client(), namespace.name());
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
}

/// A Deployment and its ReplicaSet, as its controller makes it; the value owns pods.
async fn workload(namespace: &TestNamespace<'_>) -> Value {
    let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
        "spec": {"serviceAccountName": "app", "containers": [{"name": "app", "image": "i"}]}}});
    let deployment = json!({"metadata": {"name": "web"}, "spec": spec});
    let deployment: Deployment = create(namespace, deployment).await;
    let owner = |kind: &str, name: &str, uid: Option<String>| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}]);
    let owners = owner("Deployment", "web", deployment.metadata.uid);
    let set = json!({"metadata": {"name": "web-1", "ownerReferences": owners}, "spec": spec});
    let set: ReplicaSet = create(namespace, set).await;
    owner("ReplicaSet", "web-1", set.metadata.uid)
}

async fn pod(namespace: &TestNamespace<'_>, name: &str, owners: &Value) {
    let pod = json!({"metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": owners},
        "spec": {"serviceAccountName": "app", "containers": [{"name": "app", "image": "i"}]}});
    let _: Pod = create(namespace, pod).await;
}

async fn label(namespace: &TestNamespace<'_>, labels: &Value) {
    let api = Api::<Namespace>::all(namespace.client());
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    api.patch(namespace.name(), &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn a_misspelt_label_is_found_and_the_printed_commands_fix_it() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("why", &[("podrole.io/injection", "enabled")]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let arn = role();
    namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
    label(&namespace, &json!({"podrole.io/injection": null, "podrole.io/inject": "enabled"})).await;
    let owners = workload(&namespace).await;
    for _ in 0..20 {
        // The API server needs a moment to see the label's end.
        pod(&namespace, "web-1-a", &owners).await;
        let why = Why::about(&namespace, &cluster.kubeconfig()).await;
        if why.states("injected") != ["ok"] {
            break;
        }
        let api = Api::<Pod>::namespaced(namespace.client(), namespace.name());
        api.delete("web-1-a", &kube::api::DeleteParams::default().grace_period(0)).await.unwrap();
    }
    let why = Why::about(&namespace, &cluster.kubeconfig()).await;
    let name = namespace.name();
    let verdict = format!(
        "ERROR PR001: namespace {name} is not labelled podrole.io/injection=enabled (it has podrole.io/inject)\n"
    );
    assert!(why.text.starts_with(&verdict) && why.code == Some(1), "{}", why.text);
    let fix = format!(
        "  fix        kubectl label namespace {name} podrole.io/injection=enabled podrole.io/inject-\n  fix        \
         kubectl -n {name} rollout restart deployment/web\n"
    );
    assert!(why.text.contains(&fix), "{}", why.text);

    label(&namespace, &json!({"podrole.io/injection": "enabled", "podrole.io/inject": null})).await;
    asked(&namespace, &webhook).await.unwrap();
    let old = Api::<Pod>::namespaced(namespace.client(), name);
    old.delete("web-1-a", &kube::api::DeleteParams::default().grace_period(0)).await.unwrap();
    pod(&namespace, "web-1-b", &owners).await;
    let why = Why::about(&namespace, &cluster.kubeconfig()).await;
    for link in ["pod", "namespace", "webhook", "injected", "role", "other", "network"] {
        assert_eq!(why.states(link), ["ok"], "{link}: {}", why.text);
    }
    assert_eq!(why.report["subjects"][0]["role"], arn.as_str());
    // The webhook is a process of the test, so the cluster shows no settings: this alone is not known.
    assert_eq!(why.states("expected"), ["ok", "unknown"], "{}", why.text);
}

#[tokio::test]
async fn a_tenant_gets_the_links_of_the_own_namespace_and_the_names_of_the_missing_rights() {
    let cluster = Cluster::shared().await.unwrap();
    let labels = [("podrole.io/injection", "enabled")];
    let namespace = cluster.namespace("why-tenant", &labels).await.unwrap();
    namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &role())]).await.unwrap();
    namespace.service_account("tenant", &[]).await.unwrap();
    let owners = workload(&namespace).await;
    pod(&namespace, "web-1-a", &owners).await;
    // `view` without its aggregation, which a controller makes.
    let binding = json!({"metadata": {"name": "tenant"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole", "name": "system:aggregate-to-view"}, "subjects": [{"kind": "ServiceAccount",
        "name": "tenant", "namespace": namespace.name()}]});
    let _: RoleBinding = create(&namespace, binding).await;
    let accounts = Api::<ServiceAccount>::namespaced(namespace.client(), namespace.name());
    let request = TokenRequest::default();
    let minted = accounts.create_token_request("tenant", &PostParams::default(), &request).await;
    let token = minted.unwrap().status.unwrap().token;
    let kubeconfig = cluster.kubeconfig_with("why-tenant", &token).unwrap();
    let why = Why::about(&namespace, &kubeconfig).await;
    assert_eq!(why.code, Some(3), "{}", why.text);
    for right in [
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "podidentityassociations.podrole.io",
    ] {
        let question =
            format!("kubectl auth can-i list {right} says no; ask for ClusterRole podrole-reader");
        assert!(why.text.contains(&question), "{}", why.text);
    }
    for link in ["pod", "namespace", "other", "network"] {
        assert_eq!(why.states(link), ["ok"], "{link}: {}", why.text);
    }
    for link in ["webhook", "injected", "role"] {
        assert_eq!(why.states(link), ["unknown"], "{link}: {}", why.text);
    }
}
