//! The programs themselves: a webhook that waits for its certificate, and a controller.

use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Secret};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{cluster::Cluster, wait};
use serde_json::json;

use super::stage::{CA_SECRET, PATIENCE, SERVING_SECRET, controller_name, installed};
use crate::{admission::asked, daemons};

#[tokio::test]
async fn the_controller_registers_a_webhook_that_serves_its_certificate() {
    let cluster = Cluster::shared().await.unwrap();
    let labels = [("podrole.io/injection", "enabled")];
    let namespace = cluster.namespace("own", &labels).await.unwrap();
    let own = format!("--namespace={}", namespace.name());
    let configuration = format!("--webhook-configuration=podrole-{}", namespace.name());
    let webhook = daemons::own_webhook(cluster, &[&own, &configuration]).await.unwrap();
    installed(&namespace, &format!("https://{}", webhook.daemon.address)).await.unwrap();
    let name = format!("--name={}", controller_name(&namespace));
    let controller = daemons::controller(cluster, &[&own, &name]).await.unwrap();

    // As the Deployment's controller would say once the webhook is ready.
    daemons::until_ready(&webhook.daemon).await.unwrap();
    let status = json!({"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
    let deployments = Api::<k8s_openapi::api::apps::v1::Deployment>::namespaced(
        namespace.client(),
        namespace.name(),
    );
    let patch = Patch::Merge(&status);
    deployments.patch_status("podrole-webhook", &PatchParams::default(), &patch).await.unwrap();
    daemons::until_ready(&controller).await.unwrap();
    asked(&namespace, &webhook).await.unwrap();
    assert_eq!(controller.counts("podrole_controller_active").await, Some(1));

    let secrets = Api::<Secret>::namespaced(namespace.client(), namespace.name());
    let segment = async |secret: &str| {
        let data = secrets.get(secret).await.unwrap().data.unwrap_or_default();
        data.get("path-segment").map(|it| String::from_utf8(it.0.clone()).unwrap())
    };
    let first = segment(CA_SECRET).await.unwrap();
    let configurations = Api::<MutatingWebhookConfiguration>::all(namespace.client());
    let name = format!("podrole-{}", namespace.name());
    let webhooks = configurations.get(&name).await.unwrap().webhooks.unwrap_or_default();
    let urls: Vec<_> = webhooks.into_iter().filter_map(|it| it.client_config.url).collect();
    let base = format!("https://{}/{first}", webhook.daemon.address);
    // `kubectl debug` has an entry of its own for `required` namespaces.
    let required = format!("{base}/mutate/required");
    assert_eq!(urls, [format!("{base}/mutate"), required.clone(), required]);
    // What listens never has the CA's key.
    let served = secrets.get(SERVING_SECRET).await.unwrap().data.unwrap_or_default();
    let keys: Vec<_> = served.keys().map(String::as_str).collect();
    assert_eq!(keys, ["ca.crt", "path-segment", "tls.crt", "tls.key"]);
    // A Secret that loses it gets the same one again: API servers call it.
    for secret in [CA_SECRET, SERVING_SECRET] {
        let patch = json!({"data": {"path-segment": null}});
        let patch = Patch::Merge(&patch);
        secrets.patch(secret, &PatchParams::default(), &patch).await.unwrap();
        let written = async || Ok(segment(secret).await.as_ref() == Some(&first));
        wait::until("the segment", PATIENCE, written).await.unwrap();
    }
}
