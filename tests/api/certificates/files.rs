//! Certificates from files, as cert-manager leaves them, followed without a restart.

use k8s_openapi::{ByteString, api::admissionregistration::v1::MutatingWebhookConfiguration};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{cluster::Cluster, namespace::plain_pod};
use serde_json::json;
use tokio::time::{Duration, sleep};

use crate::{
    admission::{register, variables},
    daemons::{self, write_pair},
    http,
};

/// Another CA signs from one moment to the next: the harshest that cert-manager can do.
#[tokio::test]
async fn a_new_pair_in_the_files_is_served_and_its_expiry_is_reported() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &["--certificates=files"]).await.unwrap();
    let namespace = cluster.namespace("files", &[("podrole.io/injection", "enabled")]).await;
    let namespace = namespace.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let (_, text) = http::get(webhook.admin, "/metrics", None).await.unwrap();
    let seconds = text.lines().find_map(|line| {
        line.strip_prefix("podrole_webhook_certificate_expiry_seconds ")?.parse::<i64>().ok()
    });
    assert!((86_000..=86_400).contains(&seconds.unwrap()), "{seconds:?}");

    let bundle = ByteString(write_pair(&webhook.folder).unwrap().into_bytes());
    let operations: Vec<_> = (0..2)
        .map(|index| {
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            json!({"op": "replace", "path": path, "value": bundle})
        })
        .collect();
    let patch = Patch::Json::<()>(serde_json::from_value(json!(operations)).unwrap());
    let api = Api::<MutatingWebhookConfiguration>::all(namespace.client());
    let name = format!("podrole-{}", namespace.name());
    api.patch(&name, &PatchParams::default(), &patch).await.unwrap();
    for _ in 0..200 {
        let log = webhook.daemon.log();
        let pod = namespace.dry_run(plain_pod("probe", "probe")).await.unwrap();
        if log.contains("serving a new certificate") && !variables(&pod).is_empty() {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("pods were not injected any more: {}", webhook.daemon.log());
}
