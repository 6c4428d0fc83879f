//! A webhook behind controllers and replicas of one's own, in this process.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    http::{HeaderValue, header::CONNECTION},
    middleware::map_response,
    response::Response,
};
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration,
        apps::v1::Deployment,
        core::v1::{ConfigMap, Secret},
        rbac::v1::ClusterRole,
    },
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use podrole_certs::{
    ControllerConfig, ControllerStatus, Expires, Lifetimes, PathSegment, ServingSecret,
    follow_secret, run_controller,
};
use podrole_identity::{AnnotationPrefix, ServiceAccountAnnotations, ServiceAccountRef};
use podrole_runtime::{
    health::Health,
    serve::{Limits, Server},
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    project, registration, wait,
};
use podrole_webhook::{InMemory, Metrics, Settings, Webhook};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{admission::variables, daemons::role};

pub(super) const CA_SECRET: &str = "podrole-webhook-ca";
pub(super) const SERVING_SECRET: &str = "podrole-webhook-serving";
const WEBHOOK: &str = "podrole-webhook";
/// As the chart has it, in JSON, which is YAML.
const BUDGET: &str = r#"{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
    "metadata": {"name": "podrole-webhook"}, "spec": {"maxUnavailable": 1,
    "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {"matchLabels": {"a": "podrole-webhook"}}}}"#;
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A webhook that is registered, and its certificates' Secrets.
pub(super) struct Stage {
    pub(super) namespace: TestNamespace<'static>,
    pub(super) health: Health,
    pub(super) expires: Expires,
    lives: Lifetimes,
    stop: CancellationToken,
}

/// A controller that runs in this process.
pub(super) struct Running {
    signalled: CancellationToken,
    task: JoinHandle<()>,
    active: Arc<AtomicBool>,
    health: Health,
}

impl Running {
    /// Sends it the signal, and waits for its end.
    pub(super) async fn end(self) {
        self.signalled.cancel();
        self.task.await.unwrap();
    }

    pub(super) fn is_active(&self) -> bool {
        self.active.load(Relaxed)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.health.pending().is_empty()
    }
}

impl Stage {
    /// Starts a replica of the webhook that serves once there is a certificate. No controller runs, and
    /// no replica counts as available.
    pub(super) async fn start(name: &str, lives: Lifetimes) -> anyhow::Result<Self> {
        let cluster = Cluster::shared().await?;
        let labels = [("podrole.io/injection", "required")];
        let namespace = cluster.namespace(name, &labels).await?;
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), Limits::default()).await?;
        installed(&namespace, &format!("https://{}", server.address())).await?;
        namespace.service_account("app", &[]).await?;

        let (stop, health) = (CancellationToken::new(), Health::default());
        let gate = health.gate("the serving certificate");
        let (client, secret, expires) =
            (namespace.client(), secret(&namespace), Expires::default());
        let following = follow_secret(
            client,
            secret,
            PathSegment::default(),
            gate,
            expires.clone(),
            stop.clone(),
        );
        let webhook = Webhook::new(accounts(&namespace)?, Settings::default(), Metrics::default());
        // Each pod needs a handshake of its own: a kept connection would outlive the rotation.
        let router = podrole_webhook::router(Arc::new(webhook));
        let router =
            axum::Router::new().nest_service("/{segment}", router).layer(map_response(closing));
        let stopped = stop.clone();
        tokio::spawn(async move {
            if let Some(tls) = following.await {
                server.with_tls(tls).run(router, stopped).await;
            }
        });
        Ok(Self { namespace, health, expires, lives, stop })
    }

    /// The same with `replicas` controllers, once pods are injected.
    pub(super) async fn registered(
        name: &str,
        replicas: usize,
        lives: Lifetimes,
    ) -> anyhow::Result<(Self, Vec<Running>)> {
        let stage = Self::start(name, lives).await?;
        stage.available(1).await?;
        let controllers = (0..replicas).map(|replica| stage.controller(&replica.to_string()));
        let controllers = controllers.collect();
        stage.until_injected().await?;
        Ok((stage, controllers))
    }

    pub(super) fn controller(&self, identity: &str) -> Running {
        self.controller_with(config(&self.namespace, identity))
    }

    /// A controller that leaves certificates to others.
    pub(super) fn controller_of_files(&self, identity: &str) -> Running {
        let own_certificates = false;
        self.controller_with(ControllerConfig {
            own_certificates,
            ..config(&self.namespace, identity)
        })
    }

    fn controller_with(&self, config: ControllerConfig) -> Running {
        let (health, active) = (Health::default(), Arc::<AtomicBool>::default());
        let status = ControllerStatus {
            registered: health.gate("the registration"),
            active: Arc::clone(&active),
            leads: Arc::default(),
        };
        let signalled = CancellationToken::new();
        let running =
            run_controller(self.namespace.client(), config, self.lives, status, signalled.clone());
        Running { signalled, task: tokio::spawn(running), active, health }
    }

    /// Says how many replicas of the webhook are available, as the Deployment's controller would.
    pub(super) async fn available(&self, replicas: i32) -> anyhow::Result<()> {
        let status = json!({"status": {"replicas": 1, "availableReplicas": replicas,
            "readyReplicas": replicas}});
        let deployments = self.deployments();
        let patch = Patch::Merge(status);
        deployments.patch_status(WEBHOOK, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    pub(super) async fn until_injected(&self) -> anyhow::Result<()> {
        wait::until("injection", PATIENCE, async || Ok(self.pod_is_injected().await)).await
    }

    pub(super) async fn pod_is_injected(&self) -> bool {
        let pod = self.namespace.dry_run(plain_pod("app", "app")).await;
        pod.is_ok_and(|pod| !variables(&pod).is_empty())
    }

    pub(super) fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.namespace.client(), self.namespace.name())
    }

    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.namespace.client(), self.namespace.name())
    }

    pub(super) fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.namespace.client())
    }

    /// The name of our configuration.
    pub(super) fn name(&self) -> String {
        format!("podrole-{}", self.namespace.name())
    }

    /// The bundles of the configuration's webhooks.
    pub(super) async fn bundles(&self) -> anyhow::Result<Vec<String>> {
        let webhooks = self.configurations().get(&self.name()).await?.webhooks.unwrap_or_default();
        let bundle = |bundle: Option<ByteString>| bundle.unwrap_or_default().0;
        let bundles = webhooks.into_iter().map(|webhook| bundle(webhook.client_config.ca_bundle));
        Ok(bundles.map(|bundle| String::from_utf8_lossy(&bundle).into_owned()).collect())
    }

    /// The CAs in the Secret.
    pub(super) async fn published(&self) -> anyhow::Result<String> {
        let data = self.secrets().get(CA_SECRET).await?.data.unwrap_or_default();
        let bundle = data.get("ca.crt").map(|bundle| bundle.0.clone()).unwrap_or_default();
        Ok(String::from_utf8(bundle)?)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What an installation brings, for a webhook at `base`.
pub(super) async fn installed(namespace: &TestNamespace<'_>, base: &str) -> anyhow::Result<()> {
    let own = controller_name(namespace);
    namespace.service_account(&own, &[]).await?;
    let params = PostParams::default();
    let role: ClusterRole = serde_json::from_value(json!({"metadata": {"name": own}}))?;
    Api::all(namespace.client()).create(&params, &role).await?;
    for name in [WEBHOOK, own.as_str()] {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"a": name}}, "template": {
                "metadata": {"labels": {"a": name}},
                "spec": {"containers": [{"name": "a", "image": "example.org/a:1"}]}}}}))?;
        let deployments = Api::namespaced(namespace.client(), namespace.name());
        deployments.create(&params, &deployment).await?;
    }
    let yaml = project::root().join("manifests/webhook-configuration.yaml");
    let yaml = std::fs::read_to_string(yaml)?;
    let mut configuration = registration::fill(&yaml, base, b"", namespace.name())?;
    for webhook in configuration.webhooks.iter_mut().flatten() {
        webhook.client_config.ca_bundle = None;
    }
    // JSON is YAML.
    let config_map: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "podrole-registration"},
        "data": {"mutating.yaml": serde_json::to_string(&configuration)?,
            "disruption-budget.yaml": BUDGET}}))?;
    let config_maps = Api::namespaced(namespace.client(), namespace.name());
    config_maps.create(&params, &config_map).await?;
    Ok(())
}

/// ClusterRoles have no namespace.
pub(super) fn controller_name(namespace: &TestNamespace<'_>) -> String {
    format!("podrole-controller-{}", namespace.name())
}

fn config(namespace: &TestNamespace<'_>, identity: &str) -> ControllerConfig {
    ControllerConfig {
        namespace: namespace.name().to_owned(),
        name: controller_name(namespace),
        webhook: WEBHOOK.to_owned(),
        registration: "podrole-registration".to_owned(),
        removed_webhook: None,
        own_certificates: true,
        identity: identity.to_owned(),
    }
}

pub(super) fn secret(namespace: &TestNamespace<'_>) -> ServingSecret {
    ServingSecret {
        namespace: namespace.name().to_owned(),
        name: SERVING_SECRET.to_owned(),
        host: "127.0.0.1".to_owned(),
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
