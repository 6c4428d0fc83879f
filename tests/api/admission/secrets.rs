//! Secrets in stored pods: what the API server itself accepts of what annotations ask for.

use podrole_tests::{cluster::Cluster, namespace::plain_pod};
use serde_json::json;

use super::{ENABLED, register};
use crate::daemons;

#[tokio::test]
async fn secrets_are_stored_as_volumes_mounts_and_variables() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("secrets", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let long = format!("{}.{}", "a".repeat(100), "b".repeat(152));
    let all = json!([
        {"secretName": long, "mountPath": "/etc/{serviceaccount.name}", "mode": "0440",
            "optional": true, "items": [{"key": "{pod.namespace}", "path": "a/b", "mode": "0400"}]},
        {"mountPath": "/etc/part", "subPath": "x$y/{pod.name}"},
        {"env": "DB_"},
    ]);
    let annotations = [
        ("secret.podrole.io/db", "/etc/db".to_owned()),
        ("secret.podrole.io/all", all.to_string()),
    ];
    let annotations = annotations.each_ref().map(|(key, value)| (*key, value.as_str()));
    namespace.service_account("app", &annotations).await.unwrap();
    let mut manifest = plain_pod("app", "app");
    manifest["metadata"] = json!({"generateName": "app-"});
    let spec = namespace.pod(manifest).await.unwrap().spec.unwrap();
    let secrets: Vec<_> =
        spec.volumes.unwrap().into_iter().filter_map(|volume| volume.secret).collect();
    let names: Vec<_> = secrets.iter().filter_map(|secret| secret.secret_name.as_deref()).collect();
    assert_eq!(secrets.len(), 3, "{names:?}");
    assert!(names.contains(&"db") && names.contains(&long.as_str()));
    let container = &spec.containers[0];
    let mounts = container.volume_mounts.clone().unwrap();
    let paths: Vec<_> = mounts.iter().map(|mount| mount.mount_path.as_str()).collect();
    for path in ["/etc/app", "/etc/part", "/etc/db"] {
        assert!(paths.contains(&path), "{paths:?}");
    }
    let part = mounts.iter().find(|mount| mount.mount_path == "/etc/part").unwrap();
    assert_eq!(part.sub_path_expr.as_deref(), Some("x$$y/$(PODROLE_POD_NAME)"));
    let from = container.env_from.clone().unwrap();
    assert_eq!(from[0].prefix.as_deref(), Some("DB_"));
}

#[tokio::test]
async fn a_service_account_that_enforces_its_list_does_not_lose_its_pods() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("mountable", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let annotations =
        [("secret.podrole.io/db", "/etc/db"), ("kubernetes.io/enforce-mountable-secrets", "true")];
    namespace.service_account("app", &annotations).await.unwrap();
    let spec = namespace.pod(plain_pod("app", "app")).await.unwrap().spec.unwrap();
    assert!(spec.volumes.unwrap().iter().all(|volume| volume.secret.is_none()));
}
