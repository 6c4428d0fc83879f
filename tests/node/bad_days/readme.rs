//! The README's lines for kind, as they stand, without the image and with it. `kind` itself is replaced by what it does: it
//! gives the node the image.

use std::fs;

use anyhow::{Context as _, bail, ensure};
use podrole_tests::project;
use tokio::time::Instant;

use crate::{
    install,
    report::Seen,
    stage::{self, NAMESPACE, Stage},
};

/// The name that the README gives the image.
const IMAGE: &str = "ghcr.io/podrole/podrole:0.1.0";

/// Where the chart is not installed.
pub(crate) async fn followed(stage: &Stage) -> Seen {
    let [build, kind, helm, example, rest @ ..] = &lines()?[..] else {
        bail!("the README has other lines for kind");
    };
    ensure!(build.contains(IMAGE) && kind.starts_with("kind create cluster"), "{build}; {kind}");
    ensure!(rest.iter().all(|line| line.starts_with('#')), "{rest:?}");
    stage.kubectl(&["delete", "namespace", "shop", "--ignore-not-found", "--wait"]).await?;
    let begun = Instant::now();
    let missing =
        stage.shell(helm, 120).await.err().context("helm installed it without an image")?;
    let missing = format!("{missing:#}");
    ensure!(missing.contains("context deadline exceeded"), "{missing}");
    let failed_after = begun.elapsed().as_secs();
    let pods = stage.kubectl(&["-n", NAMESPACE, "get", "pods"]).await?;
    ensure!(pods.contains("ImagePullBackOff") || pods.contains("ErrImagePull"), "{pods}");

    let tag = ["ctr", "-n", "k8s.io", "image", "tag", "--force"];
    let image = [&tag[..], &["docker.io/local/podrole:test", IMAGE]].concat();
    stage.cluster("exec", &image).await?;
    let begun = Instant::now();
    for what in ["deployment/podrole-webhook", "deployment/podrole-sandbox"] {
        stage.rolled_out(NAMESPACE, what).await?;
    }
    stage::until("the registration", 60, async || {
        Ok(stage.kubectl(&["get", "mutatingwebhookconfigurations", "podrole"]).await.is_ok())
    })
    .await?;
    let started_after = begun.elapsed().as_secs();
    install::tag_cli(stage).await?;
    // `logs -f` goes on for ever.
    let said =
        stage.shell(&example.replace("logs -f", "logs --pod-running-timeout=60s"), 120).await;
    let said = said.context("the README's last line")?;
    let arn = "arn:aws:sts::111122223333:assumed-role/shop-app/";
    stage::until("the example's role", 60, async || {
        let log = stage.kubectl(&["-n", "shop", "logs", "deployment/app"]).await?;
        Ok(said.contains(arn) || log.contains(arn))
    })
    .await?;
    stage.helm(&["uninstall", "podrole", "--namespace", NAMESPACE, "--wait"]).await?;
    Ok(format!(
        "without the image helm said so after {failed_after} s; {started_after} s after the image came all pods ran; the example had its role"
    ))
}

/// The commands of the first block after "**kind**".
fn lines() -> anyhow::Result<Vec<String>> {
    let readme = fs::read_to_string(project::root().join("README.md"))?;
    let (_, after) = readme.split_once("\n**kind**").context("no lines for kind")?;
    let (_, block) = after.split_once("```sh\n").context("no block")?;
    let (block, _) = block.split_once("```").context("a block without an end")?;
    Ok(block.lines().map(str::to_owned).collect())
}
