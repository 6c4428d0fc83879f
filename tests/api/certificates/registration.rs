//! When the webhook is registered, by whom, and when no longer.

use std::time::Duration;

use k8s_openapi::{
    ByteString,
    api::{coordination::v1::Lease, core::v1::ConfigMap},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use podrole_certs::{Authority, Lifetimes};
use podrole_runtime::clock::now;
use podrole_tests::wait;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::stage::{PATIENCE, Stage, controller_name};

/// Before a replica can answer, pods of `required` namespaces would only be refused.
#[tokio::test]
async fn a_webhook_is_registered_once_a_replica_can_answer() {
    let stage = Stage::start("later", Lifetimes::default()).await.unwrap();
    let controller = stage.controller("one");
    let served = async || Ok(stage.health.pending().is_empty());
    wait::until("the serving certificate", PATIENCE, served).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert!(stage.configurations().get_opt(&stage.name()).await.unwrap().is_none());
    assert!(!controller.is_ready() && !controller.is_active());
    stage.available(1).await.unwrap();
    stage.until_injected().await.unwrap();
    wait::until("readiness", PATIENCE, async || Ok(controller.is_ready())).await.unwrap();
    // A webhook that is away for a while stays registered: its pods must not start without it.
    stage.available(0).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert!(stage.pod_is_injected().await && controller.is_active());
}

#[tokio::test]
async fn what_others_change_or_delete_is_put_right_within_5_s() {
    let (stage, _controllers) = Stage::registered("right", 1, Lifetimes::default()).await.unwrap();
    let before = stage.configurations().get(&stage.name()).await.unwrap();
    let owner = &before.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!(
        (owner.kind.as_str(), &owner.name),
        ("ClusterRole", &controller_name(&stage.namespace))
    );
    let spoil = json!({"webhooks": [{"name": "enabled.podrole.io", "clientConfig":
        {"url": "https://evil.example"}, "sideEffects": "None", "admissionReviewVersions": ["v1"]}]});
    let patch = Patch::Merge(&spoil);
    stage.configurations().patch(&stage.name(), &PatchParams::default(), &patch).await.unwrap();
    let right = async || {
        let now = stage.configurations().get_opt(&stage.name()).await?;
        Ok(now.is_some_and(|now| now.webhooks == before.webhooks))
    };
    let spoiled = Instant::now();
    wait::until("the configuration", PATIENCE, right).await.unwrap();
    assert!(spoiled.elapsed() < Duration::from_secs(5), "{:?}", spoiled.elapsed());
    stage.configurations().delete(&stage.name(), &DeleteParams::default()).await.unwrap();
    let deleted = Instant::now();
    wait::until("the configuration", PATIENCE, right).await.unwrap();
    assert!(deleted.elapsed() < Duration::from_secs(5), "{:?}", deleted.elapsed());
}

/// With certificates of cert-manager, its injector writes the bundle.
#[tokio::test]
async fn a_bundle_of_another_writer_stays_if_podrole_has_none() {
    let stage = Stage::start("injected", Lifetimes::default()).await.unwrap();
    stage.available(1).await.unwrap();
    let _controller = stage.controller_of_files("one");
    let there = async || Ok(stage.configurations().get_opt(&stage.name()).await?.is_some());
    wait::until("the configuration", PATIENCE, there).await.unwrap();
    assert_eq!(stage.bundles().await.unwrap(), ["", "", ""]);
    let ca = Authority::mint("another CA", now(), Duration::from_secs(3600)).unwrap();
    let bundle = ByteString(ca.certificate_pem().as_bytes().to_vec());
    let path = |index: usize| format!("/webhooks/{index}/clientConfig/caBundle");
    let bundles = [0, 1, 2].map(|it| json!({"op": "add", "path": path(it), "value": bundle}));
    let patch = Patch::Json::<()>(serde_json::from_value(json!(bundles)).unwrap());
    stage.configurations().patch(&stage.name(), &PatchParams::default(), &patch).await.unwrap();

    // An upgrade to other values.
    let maps = Api::<ConfigMap>::namespaced(stage.namespace.client(), stage.namespace.name());
    let mut map = maps.get("podrole-registration").await.unwrap();
    for text in map.data.iter_mut().flatten().map(|(_, text)| text) {
        *text = text.replace("\"timeoutSeconds\":3", "\"timeoutSeconds\":7");
    }
    maps.replace("podrole-registration", &PostParams::default(), &map).await.unwrap();
    let upgraded = async || {
        let webhooks = stage.configurations().get(&stage.name()).await?.webhooks;
        Ok(webhooks.iter().flatten().all(|it| it.timeout_seconds == Some(7)))
    };
    wait::until("the new timeout", PATIENCE, upgraded).await.unwrap();
    assert_eq!(stage.bundles().await.unwrap(), [ca.certificate_pem(); 3]);
    let secrets = stage.secrets().list(&ListParams::default()).await.unwrap();
    assert!(secrets.items.is_empty(), "a CA that no webhook needs");
}

#[tokio::test]
async fn a_controller_at_its_end_gives_the_lease_on_and_keeps_the_webhook_registered() {
    let (stage, mut controllers) =
        Stage::registered("baton", 1, Lifetimes::default()).await.unwrap();
    let first = controllers.remove(0);
    let second = stage.controller("second");
    wait::until("the second to be ready", PATIENCE, async || Ok(second.is_ready())).await.unwrap();
    assert!(first.is_active() && !second.is_active(), "one leads");
    first.end().await;
    let ended = Instant::now();
    assert!(stage.configurations().get_opt(&stage.name()).await.unwrap().is_some());
    wait::until("the second to lead", PATIENCE, async || Ok(second.is_active())).await.unwrap();
    assert!(ended.elapsed() < Duration::from_secs(6), "{:?}", ended.elapsed());
    let leases = Api::<Lease>::namespaced(stage.namespace.client(), stage.namespace.name());
    let spec = leases.get(&controller_name(&stage.namespace)).await.unwrap().spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("second"));
    assert!(stage.pod_is_injected().await);
}

#[tokio::test]
async fn a_controller_that_is_being_deleted_takes_the_registration_back() {
    let (stage, mut controllers) = Stage::registered("end", 1, Lifetimes::default()).await.unwrap();
    let name = controller_name(&stage.namespace);
    stage.deployments().delete(&name, &DeleteParams::default()).await.unwrap();
    controllers.remove(0).end().await;
    assert!(stage.configurations().get_opt(&stage.name()).await.unwrap().is_none());
    // Nor does one that has not heard of it yet register the webhook again.
    let late = stage.controller("late");
    sleep(Duration::from_secs(5)).await;
    assert!(stage.configurations().get_opt(&stage.name()).await.unwrap().is_none());
    late.end().await;
}

/// Flux deletes and makes objects again whose fields cannot be changed (`force: true`): the old pods end after that.
#[tokio::test]
async fn a_controller_whose_deployment_is_made_again_keeps_the_webhook_registered() {
    let (stage, mut controllers) =
        Stage::registered("forced", 1, Lifetimes::default()).await.unwrap();
    let before = stage.configurations().get(&stage.name()).await.unwrap();
    let ca = stage.published().await.unwrap();
    let name = controller_name(&stage.namespace);
    let mut again = stage.deployments().get(&name).await.unwrap();
    stage.deployments().delete(&name, &DeleteParams::default()).await.unwrap();
    again.metadata.uid = None;
    again.metadata.resource_version = None;
    stage.deployments().create(&PostParams::default(), &again).await.unwrap();
    controllers.remove(0).end().await;
    let successor = stage.controller("successor");
    wait::until("the successor", PATIENCE, async || Ok(successor.is_active())).await.unwrap();
    let after = stage.configurations().get(&stage.name()).await.unwrap();
    assert_eq!(after.metadata.uid, before.metadata.uid, "it was deleted in between");
    assert_eq!(after.webhooks, before.webhooks, "something is blank");
    assert_eq!(stage.published().await.unwrap(), ca, "another CA");
    assert!(stage.pod_is_injected().await, "a pod was missed");
}
