//! The webhook's certificates and its registration on a real API server: the controllers agree, what is
//! spoiled is healed, and a CA is rotated under load with no pod missed.

mod drained;
mod files;
mod programs;
mod registration;
mod stage;

use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::{ByteString, api::admissionregistration::v1::MutatingWebhookConfiguration};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use podrole_certs::{Authority, Expires, Lifetimes, PathSegment, follow_secret};
use podrole_runtime::{clock::now, health::Health};
use podrole_tests::{cluster::Cluster, namespace::plain_pod, wait};
use serde_json::json;
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::admission::variables;
use stage::{CA_SECRET, PATIENCE, SERVING_SECRET, Stage, secret};

/// A rotation in seconds instead of months: published after 24 s, signing 3 s later, and the old
/// one gone 15 s after that.
const LIVES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(36),
    leaf: Duration::from_secs(12),
    published: Duration::from_secs(3),
};

/// How long pods are made, 20 a second: until the first CA is gone, and a while longer.
const LOAD: Duration = Duration::from_secs(48);

fn count(bundle: &str) -> usize {
    bundle.matches("BEGIN CERTIFICATE").count()
}

/// Another program's webhook, with a CA bundle of its own.
async fn another_configuration(stage: &Stage) -> anyhow::Result<MutatingWebhookConfiguration> {
    let ca = Authority::mint("another CA", now(), Duration::from_secs(3600))?;
    let bundle = ByteString(ca.certificate_pem().as_bytes().to_vec());
    let configuration = serde_json::from_value(json!({
        "metadata": {"name": format!("another-{}", stage.namespace.name())},
        "webhooks": [{"name": "another.example.org", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore",
            "clientConfig": {"url": "https://127.0.0.1:1/", "caBundle": bundle}}]}))?;
    Ok(stage.configurations().create(&PostParams::default(), &configuration).await?)
}

#[tokio::test]
async fn controllers_agree_on_one_ca_and_heal_the_bundle_within_5_s() {
    let (stage, _controllers) = Stage::registered("heal", 3, Lifetimes::default()).await.unwrap();
    let published = stage.published().await.unwrap();
    assert_eq!(count(&published), 1, "the replicas did not agree");
    assert_eq!(stage.bundles().await.unwrap(), [(); 3].map(|()| published.clone()));

    let others = another_configuration(&stage).await.unwrap();
    let foreign = json!([{"op": "replace", "path": "/webhooks/1/clientConfig/caBundle",
        "value": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"}]);
    let patch = Patch::Json::<()>(serde_json::from_value(foreign).unwrap());
    let _ = stage.configurations().patch(&stage.name(), &PatchParams::default(), &patch).await;
    let blank = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]);
    let patch = Patch::Json::<()>(serde_json::from_value(blank).unwrap());
    stage.configurations().patch(&stage.name(), &PatchParams::default(), &patch).await.unwrap();
    let spoiled = Instant::now();
    let healed = async || {
        let bundles = stage.bundles().await?;
        Ok(bundles.iter().all(|bundle| *bundle == published))
    };
    wait::until("the bundle to be healed", PATIENCE, healed).await.unwrap();
    assert!(spoiled.elapsed() < Duration::from_secs(5), "{:?}", spoiled.elapsed());
    let now = stage.configurations().get(others.metadata.name.as_ref().unwrap()).await.unwrap();
    assert_eq!(now.webhooks, others.webhooks, "another program's bundle was changed");
}

/// Makes 20 pods a second for `time`. None may be missed. Returns how many there were.
async fn load(stage: &Stage, time: Duration) -> u32 {
    let (begun, mut pods) = (Instant::now(), 0);
    let ticks = stream::unfold(interval(Duration::from_millis(50)), |mut ticks| async {
        ticks.tick().await;
        (begun.elapsed() < time).then_some(((), ticks))
    });
    let made = ticks.map(|()| stage.namespace.dry_run(plain_pod("app", "app")));
    let counted = made.buffer_unordered(100).for_each(|pod| {
        assert!(!variables(&pod.unwrap()).is_empty(), "pod {pods} was missed");
        pods += 1;
        std::future::ready(())
    });
    counted.await;
    pods
}

#[tokio::test]
async fn a_ca_is_rotated_under_load_with_no_pod_missed() {
    let (stage, _controllers) = Stage::registered("rotate", 2, LIVES).await.unwrap();
    let first = stage.published().await.unwrap();
    let (begun, mut seen) = (Instant::now(), Vec::new());
    let watching = async {
        while begun.elapsed() < LOAD {
            seen.push(count(&stage.published().await.unwrap()));
            sleep(Duration::from_secs(1)).await;
        }
    };
    let (pods, ()) = tokio::join!(load(&stage, LOAD), watching);
    assert!(seen.contains(&2), "old and new never stood beside each other: {seen:?}");
    let last = stage.published().await.unwrap();
    assert!(!last.contains(first.trim()), "the first CA is still trusted");
    assert!(pods >= 950, "only {pods} pods were made, and 20 a second are 960");
}

/// Until they are put right, what is served does not end; and a controller that knew the CA writes it
/// back.
#[tokio::test]
async fn secrets_that_are_deleted_are_written_back_from_memory() {
    let (stage, _controllers) = Stage::registered("gone", 1, Lifetimes::default()).await.unwrap();
    let published = stage.published().await.unwrap();
    for name in [CA_SECRET, SERVING_SECRET] {
        stage.secrets().delete(name, &DeleteParams::default()).await.unwrap();
    }
    let deleted = Instant::now();
    let back = async || {
        anyhow::ensure!(stage.health.pending().is_empty(), "the webhook is not ready");
        anyhow::ensure!(stage.pod_is_injected().await, "a pod was missed");
        Ok(stage.secrets().get_opt(SERVING_SECRET).await?.is_some())
    };
    wait::until("the Secrets", PATIENCE, back).await.unwrap();
    assert!(deleted.elapsed() < Duration::from_secs(5), "{:?}", deleted.elapsed());
    assert_eq!(stage.published().await.unwrap(), published, "another CA");
}

/// A controller that starts with no CA: API servers still trust the old one, whose certificate is being
/// served.
#[tokio::test]
async fn a_lost_ca_is_replaced_with_no_pod_missed() {
    // Longer than the test, so that only the loss matters.
    let hour = Duration::from_secs(3600);
    let lives = Lifetimes { authority: hour, leaf: hour, ..LIVES };
    let (stage, mut controllers) = Stage::registered("lost", 1, lives).await.unwrap();
    let first = stage.published().await.unwrap();
    controllers.remove(0).end().await;
    stage.secrets().delete(CA_SECRET, &DeleteParams::default()).await.unwrap();
    let end = || now().as_second() + stage.expires.in_seconds(now());
    let before = end();
    let controller = stage.controller("successor");
    let pods = load(&stage, Duration::from_secs(14)).await;
    assert!(pods > 250 && controller.is_active(), "{pods}");
    let published = stage.published().await.unwrap();
    assert!(count(&published) == 2 && published.contains(first.trim()), "{published}");
    assert!(end() > before, "the new CA has signed nothing");
}

/// An API server could not call this webhook.
#[tokio::test]
async fn a_webhook_that_fails_its_self_check_is_never_ready() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("unproved", &[]).await.unwrap();
    let (stop, health) = (CancellationToken::new(), Health::default());
    let gate = health.gate("the serving certificate");
    let following = follow_secret(
        namespace.client(),
        secret(&namespace),
        PathSegment::default(),
        gate,
        Expires::default(),
        stop.clone(),
    );
    let ca = Authority::mint("a CA", now(), Duration::from_secs(3600)).unwrap();
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let write = async |name: &str| {
        let pair = ca.issue(&[name], now(), Duration::from_secs(3600)).unwrap();
        let secret = json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": SERVING_SECRET}, "data": {
            "tls.crt": text(pair.certificates_pem()), "tls.key": text(pair.key_pem()),
            "ca.crt": text(ca.certificate_pem()), "path-segment": text(&"s".repeat(40))}});
        let secrets = kube::Api::<k8s_openapi::api::core::v1::Secret>::namespaced(
            namespace.client(),
            namespace.name(),
        );
        let params = PatchParams::apply("test");
        secrets.patch(SERVING_SECRET, &params, &Patch::Apply(&secret)).await.unwrap();
    };
    write("another.host").await;
    let mut following = std::pin::pin!(following);
    let early = tokio::time::timeout(Duration::from_secs(3), &mut following).await;
    assert!(early.is_err() && !health.pending().is_empty(), "it is for another name");
    write("127.0.0.1").await;
    assert!(following.await.is_some());
    stop.cancel();
}
