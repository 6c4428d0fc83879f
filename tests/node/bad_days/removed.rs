//! The only node is drained, and the chart is removed with an image that no node has, and installed again at once.

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use crate::{
    install,
    load::pods_meanwhile,
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::{self, NAMESPACE, Stage, WEBHOOK},
};

/// `kubectl drain` of the one node, of the webhook's pods alone: the others are other checks'.
pub(crate) async fn drained(stage: &Stage) -> Seen {
    stage.rolled_out(NAMESPACE, WEBHOOK).await?;
    let only = "--pod-selector=app.kubernetes.io/name=podrole,app.kubernetes.io/component=webhook";
    let begun = Instant::now();
    let flags = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s"];
    let drain = stage.kubectl(&[&["drain", "node1", only], &flags[..]].concat()).await;
    let took = begun.elapsed().as_secs();
    stage.kubectl(&["uncordon", "node1"]).await?;
    stage.rolled_out(NAMESPACE, WEBHOOK).await?;
    drain?;
    Ok(format!("both replicas of the only node were evicted after {took} s"))
}

const ROLE: &[(&str, &str)] = &[
    ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/again"),
    ("podrole.io/credentials", "container"),
];
const MISSING: &str = "image.tag=missing";

/// An upgrade to an image that no node has, the removal and an installation at once, while pods are made in a `required`
/// namespace: none is refused.
pub(crate) async fn removed_and_installed_again(stage: &Stage) -> Seen {
    stage.namespace("again", Some("required")).await?;
    stage.service_account("again", "app", ROLE).await?;
    stage.until_injected("again", "app").await?;
    let begun = Instant::now();
    let mut times = Vec::new();
    let life = async {
        let broken = install::upgraded_to(stage, &["--set", MISSING, "--timeout", "20s"]).await;
        ensure!(broken.is_err(), "there is such an image");
        for round in 0..2 {
            let removal = Instant::now();
            stage.helm(&["uninstall", "podrole", "--namespace", NAMESPACE]).await?;
            times.push(removal.elapsed().as_secs());
            let installed = if round == 0 {
                // Nothing of it can start, and it is removed in the next round.
                let missing = ["--set", MISSING, "--timeout", "20s"];
                let broken = install::installed_again(stage, &missing).await;
                ensure!(broken.is_err(), "there is such an image");
                Ok(())
            } else {
                install::installed_again(stage, &[]).await
            };
            installed.with_context(|| format!("install {round}, at once"))?;
        }
        Ok(())
    };
    let ((), made) = pods_meanwhile(stage, "again", life).await?;
    made.none_refused()?;
    stage.until_injected("again", "app").await?;
    let whoami = container("app", "python", &["/whoami", "boto3"]);
    let ended = stage.run_pod("again", pod("after", "app", &[whoami]), 120).await?;
    let said = ended.logs.values().next().cloned().unwrap_or_default();
    let arn = sdks::arn(&said).filter(|arn| arn.contains("assumed-role/again/"));
    ensure!(arn.is_some(), "after the installation: {said}");
    stage::until("the registration", 30, async || {
        Ok(stage.kubectl(&["get", "mutatingwebhookconfigurations", "podrole"]).await.is_ok())
    })
    .await?;
    Ok(format!(
        "uninstall took {times:?} s without the image, and an install at once worked; {} pods were made in {} s, none refused",
        made.injected + made.missed,
        begun.elapsed().as_secs()
    ))
}
