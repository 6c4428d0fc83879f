//! What we add takes nothing from a pod's standing: where Pod Security allows no more than
//! `restricted`, a pod that was allowed stays so, by both ways and with a Secret.

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{cluster::Cluster, namespace::plain_pod};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::{ENABLED, register, variables};
use crate::daemons::{self, role};

/// The least that `restricted` asks for.
fn restricted(name: &str, account: &str) -> Value {
    let mut pod = plain_pod(name, account);
    pod["spec"]["securityContext"] =
        json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    pod["spec"]["containers"][0]["securityContext"] =
        json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    pod
}

#[tokio::test]
async fn a_restricted_pod_stays_allowed() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("restricted", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let label =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces = Api::<Namespace>::all(namespace.client());
    let params = PatchParams::default();
    namespaces.patch(namespace.name(), &params, &Patch::Merge(label)).await.unwrap();

    let (arn, secret) = (role(), ("secret.podrole.io/database", "/etc/database"));
    let named = ("eks.amazonaws.com/role-arn", arn.as_str());
    namespace.service_account("web", &[named, secret]).await.unwrap();
    let container = ("podrole.io/credentials", "container");
    namespace.service_account("container", &[named, container, secret]).await.unwrap();

    let mut message = String::new();
    for _ in 0..100 {
        message = namespace
            .dry_run(plain_pod("plain", "web"))
            .await
            .map_or_else(|it| format!("{it:#}"), |_| String::new());
        if message.contains("violates PodSecurity") {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(message.contains("violates PodSecurity"), "the level is not enforced: {message}");
    for (account, variable) in [
        ("web", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("container", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ] {
        let pod = namespace.pod(restricted(account, account)).await.unwrap();
        let added = variables(&pod);
        assert!(added.iter().any(|(name, _)| name == variable), "{account}: {added:?}");
    }
}
