//! Pods on their way through a real API server and our webhook, compared as they were stored.

mod annotations;
mod bootstrap;
mod debug;
mod decoder;
mod drain;
mod eks;
mod inject;
mod kops;
mod registrations;
mod restricted;
mod secrets;
mod sources;
pub(crate) mod warnings;

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod};
use kube::{Api, api::DeleteParams};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    project,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::daemons::{self, REGION, WebhookDaemon, role};

const CONFIGURATION: &str = "manifests/webhook-configuration.yaml";
const ENABLED: (&str, &str) = ("podrole.io/injection", "enabled");
/// How the API server begins the name of the volume with its own token.
const API_TOKEN: &str = "kube-api-access-";
const REQUIRED: (&str, &str) = ("podrole.io/injection", "required");

/// Registers the project's own configuration for a namespace, and waits until the API server
/// acts on it: until the pod of a ServiceAccount that names a role is changed.
pub(crate) async fn register(
    namespace: &TestNamespace<'_>,
    webhook: &WebhookDaemon,
) -> anyhow::Result<()> {
    let yaml = std::fs::read_to_string(project::root().join(CONFIGURATION))?;
    let base = format!("https://{}", webhook.daemon.address);
    namespace.register_webhook(&yaml, &base, webhook.ca_pem.as_bytes()).await?;
    asked(namespace, webhook).await
}

/// The same for a webhook that takes another's place.
async fn register_again(
    namespace: &TestNamespace<'_>,
    webhook: &WebhookDaemon,
) -> anyhow::Result<()> {
    let configurations = Api::<MutatingWebhookConfiguration>::all(namespace.client());
    let name = format!("podrole-{}", namespace.name());
    configurations.delete(&name, &DeleteParams::default()).await?;
    register(namespace, webhook).await
}

/// Waits until the API server calls the webhook for pods of this namespace.
pub(crate) async fn asked(
    namespace: &TestNamespace<'_>,
    webhook: &WebhookDaemon,
) -> anyhow::Result<()> {
    let arn = role();
    // It may be there from before.
    let _ = namespace.service_account("probe", &[("eks.amazonaws.com/role-arn", &arn)]).await;
    for _ in 0..200 {
        let pod = namespace.dry_run(plain_pod("probe", "probe")).await;
        if pod.is_ok_and(|pod| !variables(&pod).is_empty()) {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the API server never asked the webhook: {}", webhook.daemon.log())
}

/// The first container's variables.
pub(crate) fn variables(pod: &Pod) -> Vec<(String, String)> {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    let env = container.and_then(|container| container.env.clone()).unwrap_or_default();
    env.into_iter().map(|env| (env.name, env.value.unwrap_or_default())).collect()
}

/// A stored pod without what differs between any two pods.
fn comparable(pod: &Pod) -> anyhow::Result<Value> {
    let mut pod = serde_json::to_value(pod)?;
    if let Some(metadata) = pod["metadata"].as_object_mut() {
        metadata.retain(|key, _| ["labels", "annotations"].contains(&key.as_str()));
    }
    // Each pod's own volume for the API server's token has a random name.
    let text = pod.to_string();
    let random = text.find(API_TOKEN).map(|at| text[at..at + API_TOKEN.len() + 5].to_owned());
    let text = random.map_or(text.clone(), |random| text.replace(&random, API_TOKEN));
    Ok(serde_json::from_str(&text)?)
}

fn token_volume(name: &str, audience: &str, seconds: &Value, file: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken":
        {"audience": audience, "expirationSeconds": seconds, "path": file}}]}})
}

/// Adds to a pod that was not injected what is due, by hand.
fn with_additions(
    pod: &Pod,
    env: &[(&str, &str)],
    volume: Value,
    mount_path: &str,
) -> anyhow::Result<Value> {
    let mut pod = comparable(pod)?;
    let mount = json!({"name": volume["name"], "readOnly": true, "mountPath": mount_path});
    let spec = &mut pod["spec"];
    push(&mut spec["volumes"], volume)?;
    let container = &mut spec["containers"][0];
    push(&mut container["volumeMounts"], mount)?;
    let env = env.iter().map(|(name, value)| json!({"name": name, "value": value}));
    container["env"] = env.collect();
    Ok(pod)
}

fn push(array: &mut Value, value: Value) -> anyhow::Result<()> {
    array.as_array_mut().context("there is no array")?.push(value);
    Ok(())
}

/// Two namespaces with the same ServiceAccount `app`, which names the role; the webhook is asked
/// for one of them.
struct Twins {
    namespace: TestNamespace<'static>,
    plain: TestNamespace<'static>,
    webhook: WebhookDaemon,
}

async fn twins(name: &str, flags: &[&str]) -> anyhow::Result<Twins> {
    let cluster = Cluster::shared().await?;
    let webhook = daemons::webhook(cluster, flags).await?;
    let namespace = cluster.namespace(name, &[ENABLED]).await?;
    register(&namespace, &webhook).await?;
    let plain = cluster.namespace("plain", &[]).await?;
    let arn = role();
    for namespace in [&namespace, &plain] {
        let annotations = [("eks.amazonaws.com/role-arn", arn.as_str())];
        namespace.service_account("app", &annotations).await?;
    }
    Ok(Twins { namespace, plain, webhook })
}

#[tokio::test]
async fn web_identity_is_added_and_nothing_else_changes() {
    let Twins { namespace, plain, webhook: _webhook } = twins("irsa", &[]).await.unwrap();
    let arn = role();
    let expected = with_additions(
        &plain.pod(plain_pod("app", "app")).await.unwrap(),
        &[
            ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_REGION", REGION),
            ("AWS_ROLE_ARN", &arn),
            (
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
            ),
        ],
        token_volume("aws-iam-token", "sts.amazonaws.com", &json!(86400), "token"),
        "/var/run/secrets/eks.amazonaws.com/serviceaccount",
    )
    .unwrap();
    let stored = namespace.pod(plain_pod("app", "app")).await.unwrap();
    assert_eq!(comparable(&stored).unwrap(), expected);
}

#[tokio::test]
async fn container_credentials_are_added_and_nothing_else_changes() {
    let flags = ["--credentials=container"];
    let Twins { namespace, plain, webhook: _webhook } =
        twins("pod-identity", &flags).await.unwrap();
    let stored = namespace.pod(plain_pod("app", "app")).await.unwrap();
    let stored = comparable(&stored).unwrap();
    let life = stored.pointer("/spec/volumes/1/projected/sources/0/serviceAccountToken");
    let life = &life.unwrap()["expirationSeconds"];
    assert!((79_200..=86_400).contains(&life.as_i64().unwrap()), "{life}");
    let mut expected = with_additions(
        &plain.pod(plain_pod("app", "app")).await.unwrap(),
        &[
            ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_REGION", REGION),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
            ),
        ],
        token_volume("eks-pod-identity-token", "sts.amazonaws.com", life, "eks-pod-identity-token"),
        "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
    )
    .unwrap();
    expected["metadata"]["labels"] = json!({"eks.amazonaws.com/pod-identity": "enabled"});
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn who_did_not_opt_in_or_opted_out_is_left_alone() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("opt-out", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    for label in ["podrole.io/injection", "eks.amazonaws.com/skip-pod-identity-webhook"] {
        let mut pod = plain_pod("probe", "probe");
        pod["metadata"]["labels"] = json!({label: "disabled"});
        assert!(variables(&namespace.dry_run(pod).await.unwrap()).is_empty(), "{label}");
    }
    let plain = cluster.namespace("no-label", &[]).await.unwrap();
    let yaml = std::fs::read_to_string(project::root().join(CONFIGURATION)).unwrap();
    let base = format!("https://{}", webhook.daemon.address);
    plain.register_webhook(&yaml, &base, webhook.ca_pem.as_bytes()).await.unwrap();
    let arn = role();
    plain.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert!(variables(&plain.pod(plain_pod("app", "app")).await.unwrap()).is_empty());
}

#[tokio::test]
async fn a_bad_role_is_a_warning_where_enabled_and_a_refusal_where_required() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let bad = [("eks.amazonaws.com/role-arn", "my-role")];

    let enabled = cluster.namespace("bad-role", &[ENABLED]).await.unwrap();
    register(&enabled, &webhook).await.unwrap();
    enabled.service_account("bad", &bad).await.unwrap();
    let pod = serde_json::to_vec(&plain_pod("bad", "bad")).unwrap();
    let path = format!("/api/v1/namespaces/{}/pods", enabled.name());
    let request = http::Request::post(path).header("content-type", "application/json");
    let request = request.body(pod.into()).unwrap();
    let answer = enabled.client().send(request).await.unwrap();
    assert_eq!(answer.status(), 201);
    let warning = answer.headers()["warning"].to_str().unwrap().to_owned();
    assert!(warning.contains("eks.amazonaws.com/role-arn"), "{warning}");
    assert!(warning.contains("my-role"), "{warning}");

    let required = cluster.namespace("bad-role", &[REQUIRED]).await.unwrap();
    register(&required, &webhook).await.unwrap();
    required.service_account("bad", &bad).await.unwrap();
    let refused = required.pod(plain_pod("bad", "bad")).await.unwrap_err().to_string();
    assert!(refused.contains("my-role"), "{refused}");
    required.service_account("none", &[]).await.unwrap();
    let allowed = required.pod(plain_pod("none", "none")).await.unwrap();
    assert!(variables(&allowed).is_empty());
}

#[tokio::test]
async fn a_pod_that_follows_its_service_account_at_once_is_not_missed() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("race", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let arn = role();
    let (namespace, arn) = (&namespace, &arn);
    let pairs = (0..20).map(|index| async move {
        let name = format!("app-{index}");
        let annotations = [("eks.amazonaws.com/role-arn", arn.as_str())];
        namespace.service_account(&name, &annotations).await?;
        namespace.pod(plain_pod(&name, &name)).await
    });
    for pod in futures::future::join_all(pairs).await {
        assert!(!variables(&pod.unwrap()).is_empty(), "{}", webhook.daemon.log());
    }
}

#[tokio::test]
async fn a_webhook_that_is_down_lets_through_where_enabled_and_refuses_where_required() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let enabled = cluster.namespace("down", &[ENABLED]).await.unwrap();
    let required = cluster.namespace("down", &[REQUIRED]).await.unwrap();
    for namespace in [&enabled, &required] {
        register(namespace, &webhook).await.unwrap();
    }
    drop(webhook);
    assert!(variables(&enabled.pod(plain_pod("probe", "probe")).await.unwrap()).is_empty());
    let refused = required.pod(plain_pod("probe", "probe")).await.unwrap_err().to_string();
    assert!(refused.contains("required.podrole.io"), "{refused}");
}
