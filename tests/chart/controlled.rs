//! The controller and the webhook as the chart starts them, each with the rights of its ServiceAccount,
//! on a real API server.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    apps::v1::Deployment,
    core::v1::{Secret, Service},
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams},
};
use podrole_tests::{cluster::Cluster, process::Process, project, wait};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    helm,
    installed::{Alone, alone, kubeconfig_of, release, uninstall},
};

const PATIENCE: Duration = Duration::from_secs(30);
const QUIET: &str = "agent.createNamespace=false";

/// Starts the program of a Deployment with the flags that the API server has for it.
pub(crate) async fn started(
    cluster: &Cluster,
    client: &Client,
    name: &str,
) -> anyhow::Result<Process> {
    let deployment = Api::<Deployment>::namespaced(client.clone(), "podrole").get(name).await?;
    let deployment = serde_json::to_value(&deployment)?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let words = |field: &str| {
        let words = container[field].as_array().into_iter().flatten();
        words.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut command = Command::new(project::binary("podrole-webhook")?);
    command.args(words("command").iter().skip(1));
    let ports = ["--port=", "--metrics-port="];
    for word in words("args") {
        match ports.iter().find(|port| word.starts_with(**port)) {
            Some(port) => command.arg(format!("{port}0")),
            None => command.arg(word),
        };
    }
    let kubeconfig = kubeconfig_of(cluster, "podrole", name).await?;
    command.arg("--bind-address=127.0.0.1").arg("--kubeconfig").arg(kubeconfig);
    let folder: PathBuf = tempfile::Builder::new().prefix("podrole-test-").tempdir()?.keep();
    Process::start(name, &folder, &command)
}

#[tokio::test]
async fn the_rights_of_the_chart_suffice_for_a_whole_life() -> anyhow::Result<()> {
    let Alone { cluster, client, kubeconfig, .. } = &alone().await?;
    release("install", &[QUIET], kubeconfig)?;
    let webhook = started(cluster, client, "podrole-webhook").await?;
    let controller = started(cluster, client, "podrole-controller").await?;
    let life = async {
        registered(client, &webhook).await?;
        upgraded(client, kubeconfig).await?;
        unregistered(client, &controller).await
    };
    let result = life.await.with_context(|| format!("{}\n{}", controller.log(), webhook.log()));
    uninstall(kubeconfig)?;
    result?;
    ensure!(!controller.log().contains("refused"), "{}", controller.log());
    Ok(())
}

async fn registered(client: &Client, webhook: &Process) -> anyhow::Result<()> {
    let serving = async || Ok(webhook.log().contains("serving the certificate of the Secret"));
    wait::until("the serving certificate", PATIENCE, serving).await?;
    let configurations = Api::<MutatingWebhookConfiguration>::all(client.clone());
    ensure!(configurations.get_opt("podrole").await?.is_none(), "registered before it is ready");
    // As the Deployment's controller would say.
    let status = json!({"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
    let deployments = Api::<Deployment>::namespaced(client.clone(), "podrole");
    let (params, status) = (PatchParams::default(), Patch::Merge(&status));
    deployments.patch_status("podrole-webhook", &params, &status).await?;
    let validating = Api::<ValidatingWebhookConfiguration>::all(client.clone());
    let there = async || Ok(validating.get_opt("podrole").await?.is_some());
    wait::until("the configurations", PATIENCE, there).await?;
    ensure!(configurations.get_opt("podrole").await?.is_some());
    let services = Api::<Service>::namespaced(client.clone(), "podrole");
    ensure!(services.get_opt("podrole-webhook").await?.is_some(), "no Service");
    Ok(())
}

/// `helm upgrade` changes what the controller applies, and blanks nothing.
async fn upgraded(client: &Client, kubeconfig: &std::path::Path) -> anyhow::Result<()> {
    let configurations = Api::<MutatingWebhookConfiguration>::all(client.clone());
    let secrets = Api::<Secret>::namespaced(client.clone(), "podrole");
    let before = configurations.get("podrole").await?.webhooks.unwrap_or_default();
    let ca = secrets.get("podrole-webhook-ca").await?.data;
    let set = [QUIET, "injection.default=all", "injection.timeoutSeconds=5"];
    release("upgrade", &set, kubeconfig)?;
    let upgraded = async || {
        let webhooks = configurations.get("podrole").await?.webhooks.unwrap_or_default();
        Ok(webhooks.iter().all(|it| it.timeout_seconds == Some(5)))
    };
    wait::until("the new configuration", Duration::from_secs(5), upgraded).await?;
    // Replaces each object instead of patching it: what only podrole knows would be gone.
    forced(&set, kubeconfig)?;
    sleep(Duration::from_secs(3)).await;
    let after = configurations.get("podrole").await?.webhooks.unwrap_or_default();
    ensure!(after.len() == 3 && before.len() == 3, "{after:?}");
    for (before, after) in before.iter().zip(&after) {
        ensure!(before.client_config == after.client_config, "{}: {after:?}", before.name);
        let bundle = after.client_config.ca_bundle.as_ref().map_or(0, |it| it.0.len());
        ensure!(bundle > 0, "{}: no caBundle", after.name);
    }
    ensure!(secrets.get("podrole-webhook-ca").await?.data == ca, "another CA");
    Ok(())
}

/// `helm upgrade --force`.
fn forced(set: &[&str], kubeconfig: &std::path::Path) -> anyhow::Result<()> {
    let chart = helm::chart();
    let chart = chart.to_str().context("the chart's path is not UTF-8")?;
    let mut arguments = vec!["upgrade", "podrole", chart, "-n", "podrole", "--force"];
    for value in set {
        arguments.extend(["--set", value]);
    }
    helm::helm(&arguments, Some(kubeconfig)).map(drop)
}

/// The Deployment is deleted, and the kubelet ends the pod.
async fn unregistered(client: &Client, controller: &Process) -> anyhow::Result<()> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), "podrole");
    deployments.delete("podrole-controller", &DeleteParams::default()).await?;
    controller.terminate()?;
    wait::until("its end", PATIENCE, async || Ok(controller.has_ended())).await?;
    let mutating = Api::<MutatingWebhookConfiguration>::all(client.clone());
    let validating = Api::<ValidatingWebhookConfiguration>::all(client.clone());
    ensure!(mutating.get_opt("podrole").await?.is_none(), "still registered");
    ensure!(validating.get_opt("podrole").await?.is_none(), "still registered");
    Ok(())
}
