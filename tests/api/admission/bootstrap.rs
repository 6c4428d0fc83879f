//! A cluster that was off for a night starts again: with no podrole to ask, its own pods come up,
//! also where identity is required.

use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    core::v1::{Namespace, Pod, ServiceAccount},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use podrole_tests::{cluster::Cluster, namespace::plain_pod, project, registration};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::{CONFIGURATION, REQUIRED};

/// Nothing listens on this port.
const NOWHERE: &str = "https://127.0.0.1:1";

#[tokio::test]
async fn static_pods_are_not_blocked_where_identity_is_required() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("mirror", &[REQUIRED]).await.unwrap();
    namespace.service_account("app", &[]).await.unwrap();
    let yaml = std::fs::read_to_string(project::root().join(CONFIGURATION)).unwrap();
    namespace.register_webhook(&yaml, NOWHERE, b"").await.unwrap();
    for _ in 0..200 {
        if namespace.dry_run(plain_pod("plain", "app")).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(
        namespace.dry_run(plain_pod("plain", "app")).await.is_err(),
        "the webhook was not called"
    );
    // As the kubelet reports a pod of its own files.
    let mirror = json!({"metadata": {"name": "static", "annotations":
            {"kubernetes.io/config.mirror": "1", "example.org/a": "b"}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "img"}]}});
    namespace.dry_run(mirror).await.unwrap();
}

#[tokio::test]
async fn pods_of_kube_system_and_our_own_are_not_blocked_whatever_their_label() {
    let cluster = Cluster::shared().await.unwrap();
    let client = cluster.client().await.unwrap();
    let (namespaces, params) = (Api::<Namespace>::all(client.clone()), PostParams::default());
    let yaml = std::fs::read_to_string(project::root().join(CONFIGURATION)).unwrap();
    let webhooks = Api::<MutatingWebhookConfiguration>::all(client.clone());
    // The last one is there to see that the API server acts on these registrations.
    for name in ["kube-system", "podrole", "podrole-agent", "another-namespace"] {
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        // kube-system may be there.
        let _ = namespaces.create(&params, &namespace).await;
        let label = json!({"metadata": {"labels": {REQUIRED.0: REQUIRED.1}}});
        namespaces.patch(name, &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
        let account: ServiceAccount =
            serde_json::from_value(json!({"metadata": {"name": "bootstrap"}})).unwrap();
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), name);
        accounts.create(&params, &account).await.unwrap();
        let configuration = registration::fill(&yaml, NOWHERE, b"", name).unwrap();
        webhooks.create(&params, &configuration).await.unwrap();
    }
    let make = async |name: &str| {
        let mut pod: Value = plain_pod("pod", "bootstrap");
        pod["metadata"]["namespace"] = json!(name);
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let params = PostParams { dry_run: true, ..PostParams::default() };
        Api::<Pod>::namespaced(client.clone(), name).create(&params, &pod).await
    };
    for _ in 0..200 {
        if make("another-namespace").await.is_err() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(make("another-namespace").await.is_err(), "the webhook was not called");
    for name in ["kube-system", "podrole", "podrole-agent"] {
        let made = make(name).await;
        assert!(made.is_ok(), "{name}: {made:?}");
        webhooks.delete(&format!("podrole-{name}"), &DeleteParams::default()).await.unwrap();
    }
}
