//! Which namespaces are looked at, with the webhook there and with it gone.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;

use crate::{
    pods::{is_injected, unscheduled},
    report::Seen,
    stage::{self, NAMESPACE, Stage, WEBHOOK},
};

const ROLE: &[(&str, &str)] =
    &[("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/opt-in")];
const KINDS: [(&str, Option<&str>); 3] =
    [("opt-none", None), ("opt-enabled", Some("enabled")), ("opt-required", Some("required"))];

pub(crate) async fn opt_in(stage: &Stage) -> Seen {
    for (namespace, label) in KINDS {
        stage.namespace(namespace, label).await?;
        stage.service_account(namespace, "app", ROLE).await?;
        if label.is_some() {
            stage.until_injected(namespace, "app").await?;
        }
    }
    ensure!(
        !is_injected(&create(stage, "opt-none", "up").await?),
        "a pod of a namespace that did not opt in was changed"
    );
    for namespace in ["opt-enabled", "opt-required"] {
        ensure!(is_injected(&create(stage, namespace, "up").await?), "{namespace}: not injected");
    }

    scale(stage, 0).await?;
    let down = without_webhook(stage).await;
    scale(stage, 2).await?;
    let refusal = down?;

    for namespace in ["opt-enabled", "opt-required"] {
        stage.until_injected(namespace, "app").await.context("after the webhook is back")?;
    }
    Ok(format!(
        "unlabelled: unchanged; enabled: injected, and let through while the webhook was gone; required: injected, and refused then: {refusal}"
    ))
}

/// What becomes of pods while there is no webhook; gives the refusal's words.
async fn without_webhook(stage: &Stage) -> anyhow::Result<String> {
    for namespace in ["opt-none", "opt-enabled"] {
        let stored = create(stage, namespace, "down")
            .await
            .with_context(|| format!("{namespace}, webhook gone"))?;
        ensure!(!is_injected(&stored), "{namespace}: who injected it, with the webhook gone?");
    }
    let refused = create(stage, "opt-required", "down").await;
    let Err(refusal) = refused else {
        anyhow::bail!("a pod without its identity was let into a `required` namespace")
    };
    let words = format!("{refusal:#}");
    ensure!(words.contains("required.podrole.io"), "the refusal does not say who: {words}");
    Ok(words.chars().take(120).collect())
}

async fn create(stage: &Stage, namespace: &str, name: &str) -> anyhow::Result<Pod> {
    stage.create(namespace, unscheduled(name)).await
}

/// Scales the webhook, and waits until that many of its pods are ready and all others gone: one that ends still answers for a while.
pub(crate) async fn scale(stage: &Stage, replicas: usize) -> anyhow::Result<()> {
    let count = format!("--replicas={replicas}");
    stage.kubectl(&["-n", NAMESPACE, "scale", WEBHOOK, &count]).await?;
    stage.rolled_out(NAMESPACE, WEBHOOK).await?;
    let pods = &[
        "-n",
        NAMESPACE,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/component=webhook",
        "-o",
        "name",
    ];
    stage::until("the webhook's pods", 120, async || {
        Ok(stage.kubectl(pods).await?.lines().count() == replicas)
    })
    .await
}
