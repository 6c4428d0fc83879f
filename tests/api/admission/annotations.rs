//! What an annotation of a ServiceAccount is worth: less than the pod's own, and never a variable of
//! its pods, an endpoint that the administrator did not list, or a Secret that the namespace does not
//! permit.

use k8s_openapi::api::core::v1::{Container, Namespace, Pod};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::{ENABLED, register, variables};
use crate::daemons::{self, role};

const SECRET: &str = "secret.podrole.io/db";
const ENDPOINT: &str = "podrole.io/endpoint-url";
const ROLE: &str = "eks.amazonaws.com/role-arn";

fn variable(pod: &Pod, name: &str) -> Option<String> {
    variables(pod).into_iter().find(|(variable, _)| variable == name).map(|(_, value)| value)
}

fn container(pod: &Pod) -> &Container {
    &pod.spec.as_ref().unwrap().containers[0]
}

/// A pod as it would be stored, of a ServiceAccount and with annotations of its own.
async fn stored(namespace: &TestNamespace<'_>, service_account: &str, own: &Value) -> Pod {
    let mut manifest = plain_pod("pod", service_account);
    manifest["metadata"]["annotations"] = own.clone();
    namespace.dry_run(manifest).await.unwrap()
}

/// Whether the pod got the Secret, as files or as variables.
fn has_secret(pod: &Pod) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    let files = volumes.into_iter().flatten().any(|volume| volume.secret.is_some());
    files || container(pod).env_from.as_ref().is_some_and(|sources| !sources.is_empty())
}

#[tokio::test]
async fn a_role_and_an_endpoint_read_no_variable_and_go_to_listed_hosts_only() {
    let cluster = Cluster::shared().await.unwrap();
    let flags = ["--permitted-endpoint-url=https://good.example/*"];
    let webhook = daemons::webhook(cluster, &flags).await.unwrap();
    let namespace = cluster.namespace("endpoints", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let arn = role();
    for (name, url, reaches) in [
        ("good", "https://good.example/team", true),
        ("evil", "https://good.example.evil/", false),
        ("steal", "https://evil.example/$(DB_PASSWORD)", false),
    ] {
        namespace.service_account(name, &[(ROLE, &arn), (ENDPOINT, url)]).await.unwrap();
        let endpoint = variable(&stored(&namespace, name, &json!({})).await, "AWS_ENDPOINT_URL");
        assert_eq!(endpoint, reaches.then(|| url.to_owned()), "{name}");
        namespace.service_account(&format!("{name}-role"), &[(ROLE, &arn)]).await.unwrap();
        let own = stored(&namespace, &format!("{name}-role"), &json!({ENDPOINT: url})).await;
        assert_eq!(variable(&own, "AWS_ENDPOINT_URL").is_some(), reaches, "{name}");
    }
    let arn = "arn:aws:iam::111122223333:role/$(DB_PASSWORD)/app";
    namespace.service_account("dollar", &[(ROLE, arn)]).await.unwrap();
    let pod = stored(&namespace, "dollar", &json!({})).await;
    let written = variable(&pod, "AWS_ROLE_ARN");
    assert_eq!(written.as_deref(), Some("arn:aws:iam::111122223333:role/$$(DB_PASSWORD)/app"));
    // The API server asks again after another webhook's change; here it gets the pod as it was.
    let again = serde_json::to_value(&pod).unwrap();
    let again = json!({"metadata": {"name": "pod"}, "spec": again["spec"]});
    let again = namespace.dry_run(again).await.unwrap();
    assert_eq!(container(&again).env, container(&pod).env);
}

#[tokio::test]
async fn a_pods_own_annotation_asks_for_more_than_its_service_accounts() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("asking", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    namespace.service_account("plain", &[]).await.unwrap();
    for (index, value) in [
        r#"{"env": ""}"#,
        r#"{"env": "LD_"}"#,
        r#"{"env": "NODE_"}"#,
        "/bin",
        "/etc/ssl/certs",
        "/run/secrets/app",
        r#"{"mountPath": "/etc/ld.so.preload", "subPath": "preload"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("asks-{index}");
        namespace.service_account(&name, &[(SECRET, value)]).await.unwrap();
        let theirs = stored(&namespace, &name, &json!({})).await;
        assert!(!has_secret(&theirs), "{value}: {:?}", container(&theirs));
        let own = stored(&namespace, "plain", &json!({SECRET: value})).await;
        assert!(has_secret(&own), "{value}: {:?}", container(&own));
    }
    namespace.service_account("asks", &[(SECRET, r#"{"env": "DB_"}"#)]).await.unwrap();
    assert!(has_secret(&stored(&namespace, "asks", &json!({})).await));
}

/// Whether the pods of both get the Secret: the ServiceAccount's annotation, the pod's own.
async fn both(namespace: &TestNamespace<'_>) -> (bool, bool) {
    let own = json!({SECRET: "/etc/db"});
    let theirs = stored(namespace, "app", &json!({})).await;
    (has_secret(&theirs), has_secret(&stored(namespace, "plain", &own).await))
}

#[tokio::test]
async fn a_namespace_permits_secrets_by_name() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("permitting", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    namespace.service_account("app", &[(SECRET, "/etc/db")]).await.unwrap();
    namespace.service_account("plain", &[]).await.unwrap();
    assert_eq!(both(&namespace).await, (true, true));
    let api = Api::<Namespace>::all(namespace.client());
    for (permitted, gets) in [
        (json!("mq, d"), false),
        (json!("mq d?"), true),
        (json!("*, DB"), false),
        (json!("*"), true),
        (json!(""), false),
        (json!(null), true),
    ] {
        let annotations = json!({"podrole.io/permitted-secrets": permitted});
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        api.patch(namespace.name(), &PatchParams::default(), &patch).await.unwrap();
        // Until the webhook's watch has reported the change.
        let mut seen = both(&namespace).await;
        for _ in 0..100 {
            if seen == (gets, gets) {
                break;
            }
            sleep(Duration::from_millis(50)).await;
            seen = both(&namespace).await;
        }
        assert_eq!(seen, (gets, gets), "{permitted}");
    }
}
