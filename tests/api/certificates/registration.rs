//! When the webhook is registered, by whom, and when no longer.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use podrole_certs::Lifetimes;
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
