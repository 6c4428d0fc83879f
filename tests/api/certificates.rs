//! The webhook's own certificates on a real API server: replicas agree, a spoiled `caBundle` is
//! healed, and a CA is rotated under load with no pod missed.

mod files;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, header::CONNECTION},
    middleware::map_response,
    response::Response,
};
use futures::{StreamExt as _, stream};
use k8s_openapi::{
    ByteString,
    api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Secret},
};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use podrole_certs::{Authority, Expires, Lifetimes, PathSegment, RotatorConfig, start_rotator};
use podrole_identity::{AnnotationPrefix, ServiceAccountAnnotations, ServiceAccountRef};
use podrole_runtime::{
    clock::now,
    health::Health,
    serve::{Limits, Server},
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    project, wait,
};
use podrole_webhook::{InMemory, Metrics, Settings, Webhook};
use serde_json::json;
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    admission::{register, variables},
    daemons::{self, role},
};

const SECRET: &str = "podrole-webhook-ca";
/// A rotation in seconds instead of months: published after 24 s, signing 3 s later, and the old
/// one gone 15 s after that.
const LIVES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(36),
    leaf: Duration::from_secs(12),
    published: Duration::from_secs(3),
};

/// How long pods are made, 20 a second: until the first CA is gone, and a while longer.
const PATIENCE: Duration = Duration::from_secs(30);
const LOAD: Duration = Duration::from_secs(48);

/// A webhook that is registered, and its certificates' Secret.
struct Stage {
    namespace: TestNamespace<'static>,
    stop: CancellationToken,
    health: Health,
    expires: Expires,
}

impl Stage {
    /// Starts a webhook behind `replicas` that look after one Secret. The first one serves.
    async fn start(name: &str, replicas: usize, lives: Lifetimes) -> anyhow::Result<Self> {
        let cluster = Cluster::shared().await?;
        let labels = [("podrole.io/injection", "required")];
        let namespace = cluster.namespace(name, &labels).await?;
        make_secret(&namespace).await?;

        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), Limits::default()).await?;
        let yaml = project::root().join("manifests/webhook-configuration.yaml");
        let yaml = std::fs::read_to_string(yaml)?;
        let base = format!("https://{}", server.address());
        namespace.register_webhook(&yaml, &base, b"").await?;

        let (stop, health) = (CancellationToken::new(), Health::default());
        let (place, expires) = (place(&namespace), Expires::default());
        let starts = (0..replicas).map(|_| {
            let (client, place) = (namespace.client(), place.clone());
            let gate = health.gate("the serving certificate");
            let segment = PathSegment::default();
            start_rotator(client, place, lives, segment, gate, expires.clone(), stop.clone())
        });
        let tls = futures::future::join_all(starts).await.swap_remove(0);
        let webhook = Webhook::new(accounts(&namespace)?, Settings::default(), Metrics::default());
        // Each pod needs a handshake of its own: a kept connection would outlive the rotation.
        let router = podrole_webhook::router(Arc::new(webhook)).layer(map_response(closing));
        tokio::spawn(server.with_tls(tls).run(router, stop.clone()));
        namespace.service_account("app", &[]).await?;
        let stage = Self { namespace, stop, health, expires };
        wait::until("readiness", PATIENCE, async || Ok(stage.health.pending().is_empty())).await?;
        wait::until("injection", PATIENCE, async || Ok(stage.pod_is_injected().await)).await?;
        Ok(stage)
    }

    async fn pod_is_injected(&self) -> bool {
        let pod = self.namespace.dry_run(plain_pod("app", "app")).await;
        pod.is_ok_and(|pod| !variables(&pod).is_empty())
    }

    fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.namespace.client())
    }

    /// The bundles of the configuration's webhooks.
    async fn bundles(&self) -> anyhow::Result<Vec<String>> {
        let name = format!("podrole-{}", self.namespace.name());
        let webhooks = self.configurations().get(&name).await?.webhooks.unwrap_or_default();
        let bundle = |bundle: Option<ByteString>| bundle.unwrap_or_default().0;
        let bundles = webhooks.into_iter().map(|webhook| bundle(webhook.client_config.ca_bundle));
        Ok(bundles.map(|bundle| String::from_utf8_lossy(&bundle).into_owned()).collect())
    }

    /// Another program's webhook, with a CA bundle of its own.
    async fn another_configuration(&self) -> anyhow::Result<MutatingWebhookConfiguration> {
        let ca = Authority::mint("another CA", now(), Duration::from_secs(3600))?;
        let bundle = ByteString(ca.certificate_pem().as_bytes().to_vec());
        let configuration = serde_json::from_value(json!({
            "metadata": {"name": format!("another-{}", self.namespace.name())},
            "webhooks": [{"name": "another.example.org", "sideEffects": "None",
                "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore",
                "clientConfig": {"url": "https://127.0.0.1:1/", "caBundle": bundle}}]}))?;
        Ok(self.configurations().create(&PostParams::default(), &configuration).await?)
    }

    async fn published(&self) -> anyhow::Result<String> {
        let secrets = Api::<Secret>::namespaced(self.namespace.client(), self.namespace.name());
        let data = secrets.get(SECRET).await?.data.unwrap_or_default();
        let bundle = data.get("ca.crt").map(|bundle| bundle.0.clone()).unwrap_or_default();
        Ok(String::from_utf8(bundle)?)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The empty Secret that an installation brings.
async fn make_secret(namespace: &TestNamespace<'_>) -> anyhow::Result<()> {
    let metadata = ObjectMeta { name: Some(SECRET.into()), ..ObjectMeta::default() };
    let secret = Secret { metadata, ..Secret::default() };
    let secrets = Api::<Secret>::namespaced(namespace.client(), namespace.name());
    secrets.create(&PostParams::default(), &secret).await?;
    Ok(())
}

/// Where the certificates of the namespace's webhook are, and what they are for.
fn place(namespace: &TestNamespace<'_>) -> RotatorConfig {
    RotatorConfig {
        namespace: namespace.name().to_owned(),
        secret: SECRET.to_owned(),
        names: vec!["127.0.0.1".to_owned()],
        configuration: format!("podrole-{}", namespace.name()),
        routes: Vec::new(),
    }
}

async fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn accounts(namespace: &TestNamespace<'_>) -> anyhow::Result<InMemory> {
    let annotations = [("eks.amazonaws.com/role-arn".to_owned(), role())].into_iter().collect();
    let said = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
    let account = ServiceAccountRef::new(namespace.name(), "app")?;
    Ok([(account, said)].into_iter().collect())
}

fn count(bundle: &str) -> usize {
    bundle.matches("BEGIN CERTIFICATE").count()
}

#[tokio::test]
async fn replicas_agree_on_one_ca_and_heal_the_bundle_within_5_s() {
    let stage = Stage::start("heal", 3, Lifetimes::default()).await.unwrap();
    let published = stage.published().await.unwrap();
    assert_eq!(count(&published), 1, "the replicas did not agree");
    assert_eq!(stage.bundles().await.unwrap(), [published.clone(), published.clone()]);

    let others = stage.another_configuration().await.unwrap();
    let name = format!("podrole-{}", stage.namespace.name());
    let foreign = json!([{"op": "replace", "path": "/webhooks/1/clientConfig/caBundle",
        "value": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"}]);
    let patch = Patch::Json::<()>(serde_json::from_value(foreign).unwrap());
    let _ = stage.configurations().patch(&name, &PatchParams::default(), &patch).await;
    let blank = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]);
    let patch = Patch::Json::<()>(serde_json::from_value(blank).unwrap());
    stage.configurations().patch(&name, &PatchParams::default(), &patch).await.unwrap();
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

#[tokio::test]
async fn a_ca_is_rotated_under_load_with_no_pod_missed() {
    let stage = Stage::start("rotate", 2, LIVES).await.unwrap();
    let first = stage.published().await.unwrap();
    let (begun, mut pods, mut seen) = (Instant::now(), 0, Vec::new());
    let ticks = stream::unfold(interval(Duration::from_millis(50)), |mut ticks| async {
        ticks.tick().await;
        (begun.elapsed() < LOAD).then_some(((), ticks))
    });
    let made = ticks.map(|()| stage.namespace.dry_run(plain_pod("app", "app")));
    let load = made.buffer_unordered(100).for_each(|pod| {
        assert!(!variables(&pod.unwrap()).is_empty(), "pod {pods} was missed");
        pods += 1;
        std::future::ready(())
    });
    let watching = async {
        while begun.elapsed() < LOAD {
            seen.push(count(&stage.published().await.unwrap()));
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(load, watching);
    assert!(seen.contains(&2), "old and new never stood beside each other: {seen:?}");
    let last = stage.published().await.unwrap();
    assert!(!last.contains(first.trim()), "the first CA is still trusted");
    assert!(pods >= 950, "only {pods} pods were made, and 20 a second are 960");
}

/// A Secret that is gone, or a right that was taken: until it is put right, what is served does not end.
#[tokio::test]
async fn a_leaf_is_renewed_though_the_secret_is_gone() {
    let lives = Lifetimes { leaf: Duration::from_secs(9), ..Lifetimes::default() };
    let stage = Stage::start("gone", 1, lives).await.unwrap();
    let secrets = Api::<Secret>::namespaced(stage.namespace.client(), stage.namespace.name());
    secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    // Longer than the certificate that was there, and its successor.
    let begun = Instant::now();
    while begun.elapsed() < 2 * lives.leaf {
        // The API server may keep a connection for longer than the certificate lives.
        assert!(stage.expires.in_seconds(now()) > 0, "after {:?}", begun.elapsed());
        assert!(stage.health.pending().is_empty(), "after {:?}", begun.elapsed());
        sleep(Duration::from_millis(200)).await;
    }
    assert!(stage.pod_is_injected().await);
}

/// An API server without the CA bundle could not call this webhook.
#[tokio::test]
async fn a_webhook_that_fails_its_self_check_is_never_ready() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("unproved", &[]).await.unwrap();
    make_secret(&namespace).await.unwrap();
    let (stop, health) = (CancellationToken::new(), Health::default());
    let gate = health.gate("the serving certificate");
    let (client, lives) = (namespace.client(), Lifetimes::default());
    let (place, segment, expires) = (place(&namespace), PathSegment::default(), Expires::default());
    start_rotator(client, place, lives, segment, gate, expires, stop.clone()).await;
    sleep(Duration::from_secs(5)).await;
    assert!(!health.pending().is_empty(), "there is no configuration with its CA");
    stop.cancel();
}

#[tokio::test]
async fn the_webhook_brings_its_own_certificates_when_asked_to() {
    let cluster = Cluster::shared().await.unwrap();
    let labels = [("podrole.io/injection", "enabled")];
    let namespace = cluster.namespace("own", &labels).await.unwrap();
    make_secret(&namespace).await.unwrap();
    let flags = [
        format!("--namespace={}", namespace.name()),
        format!("--webhook-configuration=podrole-{}", namespace.name()),
    ];
    let webhook = daemons::own_webhook(cluster, &[&flags[0], &flags[1]]).await.unwrap();
    // No bundle is registered: the webhook puts its own there, and the secret part of the path.
    register(&namespace, &webhook).await.unwrap();
    let secrets = Api::<Secret>::namespaced(namespace.client(), namespace.name());
    let segment = async || {
        let data = secrets.get(SECRET).await.unwrap().data.unwrap_or_default();
        String::from_utf8(data["path-segment"].0.clone()).unwrap()
    };
    let urls = async || {
        let name = format!("podrole-{}", namespace.name());
        let configurations = Api::<MutatingWebhookConfiguration>::all(namespace.client());
        let webhooks = configurations.get(&name).await.unwrap().webhooks.unwrap_or_default();
        webhooks.into_iter().filter_map(|it| it.client_config.url).collect::<Vec<_>>()
    };
    let first = segment().await;
    let base = format!("https://{}/{first}", webhook.daemon.address);
    assert_eq!(urls().await, [format!("{base}/mutate"), format!("{base}/mutate/required")]);
    // A Secret that loses it gets the same one again: API servers call it.
    let patch = json!({"data": {"path-segment": null}});
    let patch = Patch::Merge(&patch);
    secrets.patch(SECRET, &PatchParams::default(), &patch).await.unwrap();
    let written = async || Ok(secrets.get(SECRET).await?.data.is_some_and(|it| it.len() == 3));
    wait::until("the segment", PATIENCE, written).await.unwrap();
    assert_eq!(segment().await, first);
}
