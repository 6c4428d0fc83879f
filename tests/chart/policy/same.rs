//! The same pods through the webhook and through the policies, in one namespace: first with the webhook and
//! no policy, then with the policies and no webhook, then with both.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, api::DeleteParams};
use podrole_tests::{namespace::TestNamespace, project, wait};
use serde_json::{Value, json};

use super::{
    pods::{Fixture, comparable, injected},
    webhook::Webhook,
};
use crate::installed::{Alone, alone, has_policies, release, uninstall};

const PATIENCE: Duration = Duration::from_secs(30);
/// Values for both, with and without what they add to variables.
const INSTALLED: [&[&str]; 2] = [
    &["agent.createNamespace=false"],
    &[
        "agent.createNamespace=false",
        "injection.region=eu-west-1",
        "injection.endpointUrl=http://moto.emulator.svc:5000",
    ],
];
const MODE: &str = "webhook.mode=policy";
/// For the webhook alone: an annotation may name this endpoint.
const ENDPOINTS: &str = "injection.endpointURLs={https://emulator.example/*}";

/// The pods as the API server would store them.
async fn stored(namespace: &TestNamespace<'_>, fixtures: &[Fixture]) -> anyhow::Result<Vec<Value>> {
    let mut pods = Vec::new();
    for fixture in fixtures {
        let pod = namespace.dry_run(fixture.manifest()).await;
        pods.push(comparable(&pod.with_context(|| fixture.name.clone())?)?);
    }
    Ok(pods)
}

/// Waits until pods of this namespace are injected, or no longer.
async fn until(namespace: &TestNamespace<'_>, is_injected: bool) -> anyhow::Result<()> {
    let pod = json!({"metadata": {"name": "probe"}, "spec": {"serviceAccountName": "plain",
        "containers": [{"name": "app", "image": "example.org/app:1"}]}});
    let changed = async || {
        let pod = comparable(&namespace.dry_run(pod.clone()).await?)?;
        Ok(injected(&pod).is_empty() != is_injected)
    };
    let what = if is_injected { "credentials in a pod" } else { "a pod without credentials" };
    wait::until(what, PATIENCE, changed).await
}

async fn labelled(value: &str) -> anyhow::Result<TestNamespace<'static>> {
    let cluster = podrole_tests::cluster::Cluster::shared().await?;
    let labels = [("podrole.io/injection", value), ("podrole.io/credentials", "container")];
    let namespace = cluster.namespace("policy", &labels).await?;
    namespace.service_account("plain", &[]).await?;
    namespace
        .service_account("annotated", &[("eks.amazonaws.com/skip-containers", "proxy")])
        .await?;
    let role = [("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/app")];
    namespace.service_account("role", &role).await?;
    Ok(namespace)
}

#[tokio::test]
async fn the_policy_does_what_the_webhook_does() -> anyhow::Result<()> {
    let alone = alone().await?;
    if !has_policies(&alone.client).await? {
        return Ok(());
    }
    let fixtures = Fixture::all()?;
    for set in INSTALLED {
        with_values(&alone, &fixtures, set).await.with_context(|| set.join(","))?;
    }
    Ok(())
}

async fn with_values(alone: &Alone, fixtures: &[Fixture], set: &[&str]) -> anyhow::Result<()> {
    let Alone { cluster, client, kubeconfig, .. } = alone;
    let namespace = labelled("enabled").await?;
    let webhook = Webhook::start(cluster, &[set, &[ENDPOINTS]].concat())?;
    let configuration = webhook.register(&namespace).await?;
    until(&namespace, true).await.with_context(|| webhook.log())?;
    let theirs = stored(&namespace, fixtures).await?;
    let configurations = Api::<MutatingWebhookConfiguration>::all(client.clone());
    configurations.delete(&configuration, &DeleteParams::default()).await?;
    until(&namespace, false).await?;

    // From here on nothing of podrole runs but the API server's own policies.
    release("install", &[set, &[MODE]].concat(), kubeconfig)?;
    let compared = async {
        until(&namespace, true).await?;
        let ours = stored(&namespace, fixtures).await?;
        for ((fixture, theirs), ours) in fixtures.iter().zip(&theirs).zip(&ours) {
            compare(fixture, theirs, ours)?;
        }
        second_pass(&namespace, fixtures, &ours).await?;
        required(fixtures).await?;
        let configuration = webhook.register(&namespace).await?;
        let both = with_both(&namespace, fixtures, &ours).await;
        configurations.delete(&configuration, &DeleteParams::default()).await?;
        both
    };
    let compared = compared.await;
    uninstall(kubeconfig)?;
    compared
}

fn compare(fixture: &Fixture, theirs: &Value, ours: &Value) -> anyhow::Result<()> {
    let name = &fixture.name;
    ensure!(injected(ours) == fixture.injected, "{name}: injected {:?}", injected(ours));
    match &fixture.differs {
        None => ensure!(ours == theirs, "{name}\nthe webhook: {theirs}\nthe policy: {ours}"),
        Some(why) => ensure!(ours != theirs, "{name}: there is no difference by {why}: {ours}"),
    }
    Ok(())
}

/// As the API server makes it if a later webhook changes the pod.
async fn second_pass(
    namespace: &TestNamespace<'_>,
    fixtures: &[Fixture],
    ours: &[Value],
) -> anyhow::Result<()> {
    for (fixture, pod) in fixtures.iter().zip(ours) {
        // Back to what the API server takes: `comparable` removed what differs between two pods.
        let text = pod.to_string().replace("kube-api-access-", "kube-api-access-again");
        let mut manifest: Value = serde_json::from_str(&text.replace("\"about a day\"", "86400"))?;
        manifest["metadata"]["name"] = "again".into();
        let again = namespace.dry_run(manifest).await.with_context(|| fixture.name.clone())?;
        ensure!(comparable(&again)? == *pod, "{}: a second pass: {again:?}", fixture.name);
    }
    Ok(())
}

/// In `required` namespaces a pod's label does not opt it out.
async fn required(fixtures: &[Fixture]) -> anyhow::Result<()> {
    let namespace = labelled("required").await?;
    until(&namespace, true).await?;
    let pods = stored(&namespace, fixtures).await?;
    for (fixture, pod) in fixtures.iter().zip(&pods) {
        let opts_out = fixture.name.ends_with("that opts out");
        let expected = if opts_out { &vec!["web".to_owned()] } else { &fixture.injected };
        ensure!(injected(pod) == *expected, "{}: {:?}", fixture.name, injected(pod));
    }
    Ok(())
}

/// The policies run first, and the webhook finds its work done, except where only it can do it.
async fn with_both(
    namespace: &TestNamespace<'_>,
    fixtures: &[Fixture],
    ours: &[Value],
) -> anyhow::Result<()> {
    let same = fixtures.iter().zip(ours).filter(|(fixture, _)| fixture.differs.is_none());
    let windows = fixtures.iter().find(|fixture| fixture.name == "Windows");
    let windows = windows.context("no pod for Windows")?.manifest();
    // Only the webhook changes it, so it shows that the API server calls the webhook.
    let called = async || {
        let pod = namespace.dry_run(windows.clone()).await?;
        Ok(comparable(&pod)?.to_string().contains("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
    };
    wait::until("the webhook after the policies", PATIENCE, called).await?;
    for (fixture, ours) in same {
        let pod = comparable(&namespace.dry_run(fixture.manifest()).await?)?;
        ensure!(pod == *ours, "{}\nwith both: {pod}\nthe policy: {ours}", fixture.name);
    }
    Ok(())
}

#[test]
fn each_difference_and_the_number_of_pods_are_in_the_docs() -> anyhow::Result<()> {
    let page = fs::read_to_string(project::root().join("docs/policy-mode.md"))?;
    let fixtures = Fixture::all()?;
    let count = format!("{} pods through the webhook", fixtures.len());
    for file in ["docs/policy-mode.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(project::root().join(file))?;
        ensure!(text.contains(&count), "{file} does not say {count}");
    }
    for fixture in fixtures {
        let Some(why) = fixture.differs else { continue };
        let row = format!("| {why} |").to_lowercase();
        ensure!(page.to_lowercase().contains(&row), "docs/policy-mode.md has no row {row}");
    }
    Ok(())
}
