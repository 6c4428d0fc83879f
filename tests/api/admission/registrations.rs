//! Other webhooks that are registered, and would inject into the same pods.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, api::PostParams};
use podrole_tests::{cluster::Cluster, namespace::TestNamespace, project, registration, wait};

use super::{CONFIGURATION, ENABLED};
use crate::{daemons, http};

const PATIENCE: Duration = Duration::from_secs(30);

/// Our configuration for one namespace, under another name. Nothing listens at its address.
fn configuration(name: &str, namespace: &TestNamespace<'_>) -> MutatingWebhookConfiguration {
    let yaml = std::fs::read_to_string(project::root().join(CONFIGURATION)).unwrap();
    let filled = registration::fill(&yaml, "https://127.0.0.1:1", b"", namespace.name());
    let mut filled = filled.unwrap();
    filled.metadata.name = Some(name.to_owned());
    filled
}

#[tokio::test]
async fn another_podrole_for_the_same_namespaces_ends_the_one_that_came_later() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("rival", &[ENABLED]).await.unwrap();
    let api = Api::<MutatingWebhookConfiguration>::all(namespace.client());
    // Of the same second, so that the names decide.
    let names = ["a", "b"].map(|first| format!("{first}-{}", namespace.name()));
    for name in &names {
        let configuration = configuration(name, &namespace);
        api.create(&PostParams::default(), &configuration).await.unwrap();
    }
    let mut eks = configuration(&format!("eks-{}", namespace.name()), &namespace);
    for entry in eks.webhooks.iter_mut().flatten() {
        let first = entry.name.split('.').next().unwrap_or_default().to_owned();
        entry.name = format!("{first}.pod-identity-webhook.amazonaws.com");
        entry.client_config.url = Some("https://127.0.0.1:1/mutate".to_owned());
    }
    api.create(&PostParams::default(), &eks).await.unwrap();

    let flag = |name: &str| format!("--webhook-configuration={name}");
    let later = daemons::webhook(cluster, &[&flag(&names[1])]).await;
    let sentence = format!(
        "another podrole selects pods of the same namespaces: \
        MutatingWebhookConfiguration {} beside {}",
        names[0], names[1]
    );
    match later {
        // It was gone before it was ready.
        Err(error) => assert!(error.to_string().contains(&sentence), "{error}"),
        Ok(later) => {
            let ended = async || Ok(later.daemon.has_ended());
            wait::until("the later one's end", PATIENCE, ended).await.unwrap();
            assert!(later.daemon.log().contains(&sentence), "{}", later.daemon.log());
        }
    }

    let first = daemons::webhook(cluster, &[&flag(&names[0])]).await.unwrap();
    // Its certificate is from files, and their CA is not in the configuration.
    let unverified = "API servers cannot call";
    let logged = async || Ok(first.daemon.log().contains(unverified));
    wait::until(unverified, PATIENCE, logged).await.unwrap();
    for line in [r#"{kind="podrole"} 1"#, r#"{kind="eks"} 1"#] {
        let line = format!("podrole_webhook_conflicts{line}");
        let shown = async || {
            let (_, text) = http::get(first.admin, "/metrics", None).await?;
            Ok(text.contains(&line))
        };
        wait::until(&line, PATIENCE, shown).await.unwrap();
    }
    let log = first.daemon.log();
    assert!(!first.daemon.has_ended(), "{log}");
    assert!(log.contains("is EKS's webhook and selects pods of the same namespaces"), "{log}");
}
