//! What the webhook injects by associations and patterns, and before they exist.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use podrole_identity::Kind;
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
};
use serde_json::json;
use tokio::time::sleep;

use super::stage::{apply, install, role};
use crate::{
    admission::{register, variables},
    daemons::{self, WebhookDaemon},
    faulty_api::FaultyApi,
};

const FLAGS: [&str; 3] = ["--association-objects", "--exchange=assume-role", "--region=eu-west-1"];

/// Which provider a pod was given.
fn provider(pod: &Pod) -> &'static str {
    let named = |name: &str| variables(pod).iter().any(|(variable, _)| variable == name);
    match (named("AWS_WEB_IDENTITY_TOKEN_FILE"), named("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        (true, _) => "web-identity",
        (_, true) => "container",
        _ => "none",
    }
}

async fn stage(
    name: &str,
    labels: &[(&str, &str)],
) -> anyhow::Result<(TestNamespace<'static>, WebhookDaemon)> {
    install().await?;
    let cluster = Cluster::shared().await?;
    let webhook = daemons::webhook(cluster, &FLAGS).await?;
    let namespace = cluster.namespace(name, labels).await?;
    register(&namespace, &webhook).await?;
    Ok((namespace, webhook))
}

async fn injected(namespace: &TestNamespace<'_>, name: &str) -> anyhow::Result<&'static str> {
    Ok(provider(&namespace.pod(plain_pod(name, name)).await?))
}

async fn associate(namespace: &TestNamespace<'_>, name: &str) -> anyhow::Result<()> {
    let spec =
        json!({"namespace": namespace.name(), "serviceAccount": name, "roleARN": role("one")});
    let object = format!("{}.{name}", namespace.name());
    apply(&namespace.client(), Kind::Association, &object, &spec).await
}

#[tokio::test]
async fn a_pod_is_injected_by_its_association_or_pattern() {
    let (namespace, _webhook) =
        stage("by-object", &[("podrole.io/injection", "enabled")]).await.unwrap();
    for name in ["plain", "associated", "patterned"] {
        namespace.service_account(name, &[]).await.unwrap();
    }
    assert_eq!(injected(&namespace, "plain").await.unwrap(), "none");
    // Created just before its pod: the watch may not have reported it yet.
    associate(&namespace, "associated").await.unwrap();
    assert_eq!(injected(&namespace, "associated").await.unwrap(), "container");
    let own = [("eks.amazonaws.com/role-arn", &*role("one"))];
    namespace.service_account("annotated", &own).await.unwrap();
    assert_eq!(injected(&namespace, "annotated").await.unwrap(), "web-identity");
    let spec = json!({"namespaces": [namespace.name()], "serviceAccounts": ["patterned"],
        "roleARN": role("two")});
    apply(&namespace.client(), Kind::Pattern, namespace.name(), &spec).await.unwrap();
    let mut seen = "none";
    for number in 0..20 {
        let pod = namespace.pod(plain_pod(&format!("patterned-{number}"), "patterned")).await;
        seen = provider(&pod.unwrap());
        if seen == "container" {
            break;
        }
        sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(seen, "container", "a pattern takes effect as soon as the watch reports it");
}

#[tokio::test]
async fn a_namespaces_label_gives_container_before_any_source_exists() {
    let labels = [("podrole.io/injection", "enabled"), ("podrole.io/credentials", "container")];
    let (namespace, _webhook) = stage("by-label", &labels).await.unwrap();
    namespace.service_account("plain", &[]).await.unwrap();
    assert_eq!(injected(&namespace, "plain").await.unwrap(), "container");
    let own = [("eks.amazonaws.com/role-arn", &*role("one"))];
    namespace.service_account("annotated", &own).await.unwrap();
    assert_eq!(injected(&namespace, "annotated").await.unwrap(), "web-identity");
}

#[tokio::test]
async fn a_pod_whose_pattern_gives_no_usable_role_is_refused_where_injection_is_required() {
    let (namespace, _webhook) =
        stage("no-role", &[("podrole.io/injection", "required")]).await.unwrap();
    let spec = json!({"namespaces": [namespace.name()],
        "roleARN": role(&format!("{{serviceAccount}}.{}", "r".repeat(70)))});
    apply(&namespace.client(), Kind::Pattern, namespace.name(), &spec).await.unwrap();
    namespace.service_account("app", &[]).await.unwrap();
    let mut refusal = String::new();
    for number in 0..20 {
        let pod = namespace.pod(plain_pod(&format!("app-{number}"), "app")).await;
        if let Err(error) = pod {
            refusal = format!("{error:#}");
            break;
        }
        sleep(Duration::from_millis(250)).await;
    }
    let named = format!("PodIdentityPattern {}", namespace.name());
    assert!(refusal.contains(&named) && refusal.contains("correct it"), "{refusal}");
}

/// What the watches have not reported is read.
#[tokio::test]
async fn two_hundred_of_each_are_all_injected_while_the_watches_report_nothing() {
    install().await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let (api, folder) = (FaultyApi::before(cluster).await.unwrap(), tempfile::tempdir().unwrap());
    let kubeconfig = api.kubeconfig(folder.path()).unwrap();
    let webhook = daemons::webhook_by(&kubeconfig, &FLAGS).await.unwrap();
    let labels = [("podrole.io/injection", "enabled")];
    let namespace = cluster.namespace("two-hundred", &labels).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    api.set(|manners| manners.mute = true);
    let one = async |number: usize| {
        let name = format!("app-{number}");
        associate(&namespace, &name).await?;
        namespace.service_account(&name, &[]).await?;
        injected(&namespace, &name).await
    };
    // As many at a time as this machine's API server answers within the review's deadline.
    let all = stream::iter(0..200).map(one).buffer_unordered(25).try_collect::<Vec<_>>();
    let injected = all.await.unwrap();
    let missed = injected.iter().filter(|provider| **provider != "container").count();
    assert_eq!(missed, 0, "of {}: {}", injected.len(), webhook.daemon.log());
}
