//! Identities from elsewhere than a ServiceAccount's annotations, guard-rails, and crowds.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    wait,
};
use serde_json::json;
use tokio::time::Duration;

use super::{ENABLED, REQUIRED, register, variables};
use crate::daemons::{self, role};

async fn has(namespace: &TestNamespace<'_>, account: &str, variable: &str) -> bool {
    let pod = namespace.dry_run(plain_pod("dry-run", account)).await;
    pod.is_ok_and(|pod| variables(&pod).iter().any(|(name, _)| name == variable))
}

/// Waits until pods of `account` have `variable`, or have it no longer.
async fn until(namespace: &TestNamespace<'_>, account: &str, variable: &str, wanted: bool) {
    let what = format!("{account}: {variable} to be {wanted}");
    let so = async || Ok(has(namespace, account, variable).await == wanted);
    wait::until(&what, Duration::from_secs(15), so).await.unwrap();
}

#[tokio::test]
async fn the_association_list_is_followed_and_goes_before_the_annotation() {
    const PAIR: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("list", &[ENABLED]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.json");
    let write = |name: &str| {
        let identity = json!({"namespace": namespace.name(), "serviceAccount": name});
        let text = json!({"identities": [identity]}).to_string();
        // Renamed into place, as an editor does it.
        let new = folder.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &file).unwrap();
    };
    write("app");
    let flag = format!("--watch-container-credentials-config={}", file.display());
    let webhook = daemons::webhook(cluster, &[&flag]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let arn = role();
    namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
    namespace.service_account("other", &[]).await.unwrap();
    let pod = namespace.pod(plain_pod("app", "app")).await.unwrap();
    let names: Vec<_> = variables(&pod).into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().any(|name| name == PAIR), "{names:?}");
    assert!(!names.iter().any(|name| name == "AWS_ROLE_ARN"), "{names:?}");
    write("other");
    until(&namespace, "other", PAIR, true).await;
    assert!(has(&namespace, "app", "AWS_ROLE_ARN").await);
    std::fs::write(&file, r#"{"identities":[]}"#).unwrap();
    until(&namespace, "other", PAIR, false).await;
}

#[tokio::test]
async fn the_config_map_is_followed_and_its_deletion_counts() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("map", &[ENABLED]).await.unwrap();
    let flags = ["--watch-config-map", &format!("--namespace={}", namespace.name())];
    let webhook = daemons::webhook(cluster, &flags).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    namespace.service_account("exact", &[]).await.unwrap();
    namespace.service_account("any", &[]).await.unwrap();
    assert!(!has(&namespace, "exact", "AWS_ROLE_ARN").await);
    let exact = format!("{}/exact", namespace.name());
    let roles = json!({exact: {"RoleARN": role()}, "*/any": {"RoleARN": role()}, "bad": null});
    let map: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "pod-identity-webhook"}, "data": {"config": roles.to_string()}}))
    .unwrap();
    let maps = Api::<ConfigMap>::namespaced(namespace.client(), namespace.name());
    maps.create(&PostParams::default(), &map).await.unwrap();
    until(&namespace, "exact", "AWS_ROLE_ARN", true).await;
    assert!(has(&namespace, "any", "AWS_ROLE_ARN").await);
    maps.delete("pod-identity-webhook", &DeleteParams::default()).await.unwrap();
    until(&namespace, "exact", "AWS_ROLE_ARN", false).await;
}

#[tokio::test]
async fn a_guard_rail_warns_where_enabled_and_refuses_where_required() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let arn = role();
    for (label, refuses) in [(ENABLED, false), (REQUIRED, true)] {
        let namespace = cluster.namespace("guarded", &[label]).await.unwrap();
        register(&namespace, &webhook).await.unwrap();
        namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
        let api = Api::<Namespace>::all(namespace.client());
        let guard = async |permitted: &str| {
            let annotations = json!({"podrole.io/permitted-roles": permitted});
            let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
            api.patch(namespace.name(), &PatchParams::default(), &patch).await.unwrap();
        };
        guard("arn:aws:iam::*:role/other").await;
        until(&namespace, "app", "AWS_ROLE_ARN", false).await;
        let made = namespace.pod(plain_pod("refused", "app")).await;
        match made {
            Ok(pod) => assert!(!refuses && variables(&pod).is_empty()),
            Err(error) => {
                assert!(refuses && error.to_string().contains("podrole.io/permitted-roles"));
            }
        }
        guard("arn:aws:iam::*:role/shop-*").await;
        until(&namespace, "app", "AWS_ROLE_ARN", true).await;
    }
}

#[tokio::test]
async fn two_hundred_service_accounts_annotated_and_used_in_the_same_second() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("burst", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let names: Vec<String> = (0..200).map(|index| format!("app-{index}")).collect();
    for chunk in names.chunks(50) {
        let made = chunk.iter().map(|name| namespace.service_account(name, &[]));
        futures::future::try_join_all(made).await.unwrap();
    }
    let accounts = Api::<ServiceAccount>::namespaced(namespace.client(), namespace.name());
    let arn = role();
    let annotations = json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": arn}}});
    let patch = Patch::Merge(annotations);
    let pods = names.iter().map(|name| async {
        accounts.patch_metadata(name, &PatchParams::default(), &patch).await?;
        namespace.pod(plain_pod(name, name)).await
    });
    let pods = futures::future::join_all(pods).await;
    let injected = pods.into_iter().filter(|pod| !variables(pod.as_ref().unwrap()).is_empty());
    assert_eq!(injected.count(), 200, "{}", webhook.daemon.log());
}
