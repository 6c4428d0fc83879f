//! Warnings at `kubectl apply`, by the project's own registration.

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{ValidatingWebhookConfiguration, WebhookClientConfig},
};
use kube::{Api, api::PostParams};
use podrole_tests::{cluster::Cluster, http as http_client, namespace::TestNamespace, project};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::ENABLED;
use crate::daemons::{self, WebhookDaemon, role};

const CONFIGURATION: &str = "manifests/validating-webhook-configuration.yaml";

pub(crate) async fn register(namespace: &TestNamespace<'_>, webhook: &WebhookDaemon) {
    let yaml = std::fs::read_to_string(project::root().join(CONFIGURATION)).unwrap();
    let mut configuration: ValidatingWebhookConfiguration = serde_saphyr::from_str(&yaml).unwrap();
    configuration.metadata.name = Some(format!("podrole-{}", namespace.name()));
    for entry in configuration.webhooks.iter_mut().flatten() {
        entry.client_config = WebhookClientConfig {
            ca_bundle: Some(ByteString(webhook.ca_pem.as_bytes().to_vec())),
            service: None,
            url: Some(format!("https://{}/validate", webhook.daemon.address)),
        };
        let selector = entry.namespace_selector.get_or_insert_default();
        let name = ("kubernetes.io/metadata.name".to_owned(), namespace.name().to_owned());
        selector.match_labels.get_or_insert_default().extend([name]);
    }
    let api = Api::<ValidatingWebhookConfiguration>::all(namespace.client());
    api.create(&PostParams::default(), &configuration).await.unwrap();
}

/// The status and the warnings of a dry run.
pub(crate) async fn apply(
    namespace: &TestNamespace<'_>,
    group: &str,
    plural: &str,
    object: &Value,
) -> (u16, String) {
    let name = namespace.name();
    let path = format!("{group}/namespaces/{name}/{plural}?dryRun=All");
    let request = http::Request::post(path).header("content-type", "application/json");
    let request = request.body(serde_json::to_vec(object).unwrap().into()).unwrap();
    let answer = namespace.client().send(request).await.unwrap();
    let warnings = answer.headers().get_all("warning").iter();
    let warnings: Vec<&str> = warnings.filter_map(|warning| warning.to_str().ok()).collect();
    (answer.status().as_u16(), warnings.join("\n"))
}

#[tokio::test]
async fn service_accounts_and_workloads_are_warned_of_and_never_refused() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace("warned", &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await;
    let bad = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata":
        {"name": "bad", "annotations": {"eks.amazonaws.com/role-arn": "my-role"}}});
    let mut warned = (0, String::new());
    for _ in 0..200 {
        warned = apply(&namespace, "/api/v1", "serviceaccounts", &bad).await;
        if !warned.1.is_empty() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(warned.0 == 201 && warned.1.contains("my-role"), "{warned:?}");

    let asking = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata":
        {"name": "asking", "annotations": {"podrole.io/endpoint-url": "https://evil.example",
            "secret.podrole.io/db": "/bin", "secret.podrole.io/mq": r#"{"env": "LD_"}"#}}});
    let (status, warned) = apply(&namespace, "/api/v1", "serviceaccounts", &asking).await;
    assert_eq!(status, 201);
    for word in ["not listed in injection.endpointURLs", "mount over /bin", "env LD_ is reserved"] {
        assert!(warned.contains(word), "{word}: {warned}");
    }

    let arn = role();
    namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
    let container = json!({"name": "web", "image": "img",
        "env": [{"name": "AWS_PROFILE", "value": "x"}]});
    let template = json!({"metadata": {"labels": {"app": "web"}},
        "spec": {"serviceAccountName": "app", "containers": [container]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}});
    let warned = apply(&namespace, "/apis/apps/v1", "deployments", &deployment).await;
    assert!(warned.0 == 201 && warned.1.contains("AWS_PROFILE"), "{warned:?}");
}

/// The warnings of a dry run that labels or annotates the namespace.
pub(crate) async fn label(namespace: &TestNamespace<'_>, metadata: &Value) -> String {
    change(namespace, &format!("/api/v1/namespaces/{}", namespace.name()), metadata).await
}

/// The warnings of a dry run that changes the metadata of the object at `path`.
pub(crate) async fn change(namespace: &TestNamespace<'_>, path: &str, metadata: &Value) -> String {
    let patch = serde_json::to_vec(&json!({ "metadata": metadata })).unwrap();
    let request = http::Request::patch(format!("{path}?dryRun=All"));
    let request = request.header("content-type", "application/merge-patch+json");
    let answer = namespace.client().send(request.body(patch.into()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let warnings = answer.headers().get_all("warning").iter();
    warnings.filter_map(|warning| warning.to_str().ok()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_namespace_with_a_misspelled_label_is_warned_of() {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    // Without our label: a misspelled one opts nothing in.
    let namespace = cluster.namespace("mislabelled", &[]).await.unwrap();
    register(&namespace, &webhook).await;
    let inject = json!({"labels": {"podrole.io/inject": "enabled"}});
    let mut warned = String::new();
    for _ in 0..200 {
        warned = label(&namespace, &inject).await;
        if !warned.is_empty() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(warned.contains("podrole.io/inject is not a known label"), "{warned}");
    let enable = label(&namespace, &json!({"labels": {"podrole.io/injection": "enable"}})).await;
    assert!(enable.contains("write enabled, required or disabled"), "{enable}");
    let kiam =
        label(&namespace, &json!({"annotations": {"iam.amazonaws.com/permitted": ".*"}})).await;
    assert!(kiam.contains("use podrole.io/permitted-roles"), "{kiam}");
    // The condition of the registration keeps all other changes away from the webhook.
    let reviews = async || {
        let (_, text) = http_client::get(webhook.admin, "/metrics", None).await.unwrap();
        let mut counts = text.lines().filter(|line| line.contains(r#"route="/validate""#));
        let count = counts.find(|line| line.contains("_count")).map(str::to_owned);
        count.unwrap()
    };
    let before = reviews().await;
    assert_eq!(label(&namespace, &json!({"labels": {"team": "shop"}})).await, "");
    assert_eq!(reviews().await, before);
    label(&namespace, &json!({"labels": {"team.podrole.io/x": "shop"}})).await;
    assert_ne!(reviews().await, before);
}
