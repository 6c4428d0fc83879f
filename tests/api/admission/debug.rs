//! `kubectl debug`: ephemeral containers as the API server sends and stores them.

use k8s_openapi::api::core::v1::{EphemeralContainer, Pod};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
};
use serde_json::json;

use super::{ENABLED, REQUIRED, register, register_again};
use crate::daemons::{self, role};

/// What `kubectl debug` sends: a strategic merge of one container more.
async fn debug(namespace: &TestNamespace<'_>, pod: &str, name: &str) -> Vec<EphemeralContainer> {
    debugged(namespace, pod, name).await.unwrap()
}

async fn debugged(
    namespace: &TestNamespace<'_>,
    pod: &str,
    name: &str,
) -> kube::Result<Vec<EphemeralContainer>> {
    let api = Api::<Pod>::namespaced(namespace.client(), namespace.name());
    let patch = json!({"spec": {"ephemeralContainers": [
        {"name": name, "image": "busybox", "targetContainerName": "app"}]}});
    let params = PatchParams::default();
    let patch = Patch::Strategic(patch);
    let pod = api.patch_subresource("ephemeralcontainers", pod, &params, &patch).await?;
    Ok(pod.spec.and_then(|spec| spec.ephemeral_containers).unwrap_or_default())
}

/// The variables and mounts of the debugger `name`.
fn of<'a>(debuggers: &'a [EphemeralContainer], name: &str) -> (Vec<&'a str>, usize) {
    let debugger = debuggers.iter().find(|debugger| debugger.name == name).unwrap();
    let env = debugger.env.iter().flatten().map(|variable| variable.name.as_str());
    (env.collect(), debugger.volume_mounts.iter().flatten().count())
}

#[tokio::test]
async fn two_debuggers_in_a_row_the_first_while_the_webhook_was_down() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("debug", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let arn = role();
    namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
    namespace.pod(plain_pod("app", "app")).await.unwrap();
    drop(webhook);
    assert_eq!(of(&debug(&namespace, "app", "missed").await, "missed"), (vec![], 0));

    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    register_again(&namespace, &webhook).await.unwrap();
    for name in ["first", "second"] {
        let debuggers = debug(&namespace, "app", name).await;
        let (variables, mounts) = of(&debuggers, name);
        assert!(variables.contains(&"AWS_WEB_IDENTITY_TOKEN_FILE"), "{variables:?}");
        assert_eq!(mounts, 1);
        assert_eq!(of(&debuggers, "missed"), (vec![], 0));
    }
}

/// A pod of a `required` namespace must not start without its role, but who looks into one that runs is not kept out.
#[tokio::test]
async fn a_debugger_is_not_refused_in_a_required_namespace_while_the_webhook_is_away() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("required-debug", &[REQUIRED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let arn = role();
    namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
    namespace.pod(plain_pod("app", "app")).await.unwrap();
    // While it is there, the debugger gets what the pod has.
    let there = debug(&namespace, "app", "there").await;
    assert!(of(&there, "there").0.contains(&"AWS_WEB_IDENTITY_TOKEN_FILE"), "{there:?}");
    drop(webhook);
    assert!(namespace.dry_run(plain_pod("other", "app")).await.is_err(), "a pod is not refused");
    let away = debugged(&namespace, "app", "away").await;
    assert_eq!(of(&away.unwrap(), "away"), (vec![], 0));
}
