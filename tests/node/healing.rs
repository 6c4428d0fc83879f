//! Pods that are created while the webhook is away, and replaced by the controller once it is back.

use std::collections::BTreeMap;

use anyhow::ensure;
use k8s_openapi::api::{core::v1::Pod, events::v1::Event};
use kube::api::ListParams;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use crate::{
    install, opt_in,
    pods::{container, is_injected, is_ready},
    report::Seen,
    stage::{Stage, until},
};

const NAMESPACE: &str = "healing";
const ROLE: &[(&str, &str)] = &[
    ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/healing"),
    ("podrole.io/credentials", "container"),
];
const WORKLOADS: usize = 5;
const REPLICAS: usize = 4;
/// Twenty pods take four minutes at five a minute, and each replacement is judged after one.
const PATIENCE: Duration = Duration::from_mins(12);
/// The workload whose budget permits nothing.
const BLOCKED: &str = "blocked";

pub(crate) async fn replaced(stage: &Stage) -> Seen {
    stage.images(&["busybox"]).await?;
    let on = ["--set", "healing.enabled=true,controller.extraArgs={--heal-wait=10s}"];
    install::upgraded_to(stage, &on).await?;
    stage.namespace(NAMESPACE, Some("enabled")).await?;
    stage.service_account(NAMESPACE, "app", ROLE).await?;
    stage.until_injected(NAMESPACE, "app").await?;
    stage.kubectl(&["label", "namespace", NAMESPACE, "podrole.io/heal=evict"]).await?;
    opt_in::scale(stage, 0).await?;
    for index in 0..WORKLOADS {
        apply(stage, &format!("app-{index}"), REPLICAS, 1).await?;
    }
    apply(stage, BLOCKED, 1, 0).await?;
    let all = WORKLOADS * REPLICAS;
    until("the pods to run without credentials", 180, async || {
        let pods = pods(stage).await?;
        Ok(pods.values().flatten().filter(|pod| is_ready(pod)).count() == all + 1)
    })
    .await?;
    let injected = pods(stage).await?.values().flatten().filter(|pod| is_injected(pod)).count();
    ensure!(injected == 0, "{injected} pods were injected without a webhook");
    opt_in::scale(stage, 2).await?;
    let begun = Instant::now();
    let fewest = until_replaced(stage, begun, all).await?;
    let took = begun.elapsed().as_secs();
    blocked(stage).await?;
    install::upgraded_to(stage, &[]).await?;
    stage.kubectl(&["delete", "namespace", NAMESPACE, "--wait=false"]).await?;
    Ok(format!(
        "{all} pods of {WORKLOADS} workloads that had been missed were replaced in {took} s; of {REPLICAS} replicas at \
         least {fewest} were ready; a pod whose budget permits nothing is still there, with an Event"
    ))
}

/// A Deployment whose pods sleep, and its PodDisruptionBudget.
async fn apply(
    stage: &Stage,
    name: &str,
    replicas: usize,
    unavailable: usize,
) -> anyhow::Result<()> {
    let labels = json!({"app": name});
    let metadata = json!({"name": name, "namespace": NAMESPACE});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "serviceAccountName": "app", "terminationGracePeriodSeconds": 1,
                "containers": [container("app", "busybox", &["sleep", "3600"])]}}}});
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"maxUnavailable": unavailable, "selector": {"matchLabels": labels}}});
    stage.apply(&format!("{NAMESPACE}-{name}"), &format!("{budget}\n---\n{deployment}")).await
}

/// The pods that do not end, by workload.
async fn pods(stage: &Stage) -> anyhow::Result<BTreeMap<String, Vec<Pod>>> {
    let mut by_workload = BTreeMap::<_, Vec<_>>::new();
    for pod in stage.api::<Pod>(NAMESPACE).list(&ListParams::default()).await?.items {
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        if pod.metadata.deletion_timestamp.is_none()
            && let Some(app) = labels.get("app")
        {
            by_workload.entry(app.clone()).or_default().push(pod);
        }
    }
    Ok(by_workload)
}

/// Waits until every pod has been replaced. Returns the fewest replicas of a workload that were ready at once.
async fn until_replaced(stage: &Stage, begun: Instant, all: usize) -> anyhow::Result<usize> {
    let mut fewest = REPLICAS;
    loop {
        let mut injected = 0;
        for (name, pods) in pods(stage).await?.iter().filter(|(name, _)| *name != BLOCKED) {
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            ensure!(ready + 1 >= REPLICAS, "only {ready} pods of {name} were ready");
            fewest = fewest.min(ready);
            injected += pods.iter().filter(|pod| is_injected(pod) && is_ready(pod)).count();
        }
        if injected == all {
            return Ok(fewest);
        }
        ensure!(begun.elapsed() < PATIENCE, "{injected} of {all} pods were replaced");
        sleep(Duration::from_millis(500)).await;
    }
}

/// The pod that may not be evicted is there, and says so.
async fn blocked(stage: &Stage) -> anyhow::Result<()> {
    let left = pods(stage).await?.remove(BLOCKED).unwrap_or_default();
    ensure!(left.len() == 1 && !is_injected(&left[0]), "it was replaced");
    let name = left[0].metadata.name.clone();
    // Its turn comes when the others need none of the five evictions a minute.
    until("the Event HealingBlocked", 120, async || {
        let events = stage.api::<Event>(NAMESPACE).list(&ListParams::default()).await?.items;
        let about = |event: &Event| {
            let regarding = event.regarding.as_ref().map(|it| &it.name);
            event.reason.as_deref() == Some("HealingBlocked") && regarding == Some(&name)
        };
        Ok(events.iter().any(about))
    })
    .await
}
