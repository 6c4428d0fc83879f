//! `examples/eso`, as its README says: the operator gets its role by an association, and another role without a restart.

use std::fs;

use anyhow::{Context as _, ensure};
use podrole_tests::project;
use tokio::time::Instant;

use super::{OPERATOR, OPERATORS, crds, manifests::role};
use crate::{
    install,
    report::Seen,
    stage::{self, NAMESPACE, Stage},
};

const README: &str = "examples/eso/README.md";
/// What this node has from before in another way: podrole with moto behind the sandbox, and the operator.
const NOT_HERE: [&str; 3] =
    ["kubectl apply -f examples/eso/moto.yaml", "helm install", "helm repo"];
/// The command that gives the operator another role.
const CHANGE: &str = "kubectl patch pia";
const SERVICE_ACCOUNT: &str = "external-secrets";
const ANNOTATION: &str = "eks.amazonaws.com/role-arn";
const PASSWORD: &str = "correct horse";

pub(crate) async fn example(stage: &Stage) -> Seen {
    stage.images(&["eso"]).await?;
    install::tag_cli(stage).await?;
    let engine_is_there = stage.kubectl(&["get", "namespace", OPERATORS]).await.is_ok();
    if engine_is_there {
        // The association alone must be enough.
        annotate(stage, &format!("{ANNOTATION}-")).await?;
    } else {
        crds(stage).await?;
    }
    let (before, after) = commands()?;
    let mut said = String::new();
    let begun = Instant::now();
    for command in before {
        if engine_is_there && command.starts_with("kubectl create namespace external-secrets") {
            continue;
        }
        said = stage.shell(&command, 120).await.with_context(|| command.clone())?;
        if command.starts_with("kubectl apply -f examples/eso/association.yaml") {
            operator(stage, engine_is_there).await?;
        }
    }
    ensure!(said.contains("assumed-role/eso/"), "the sandbox's log: {said}");
    let synced = begun.elapsed().as_secs();
    values(stage).await?;

    let pods = operators(stage).await?;
    let begun = Instant::now();
    for command in &after {
        stage.shell(command, 60).await.with_context(|| command.clone())?;
    }
    stage::until("a sync by the other role", 60, async || signed_by(stage, "eso-2").await).await?;
    let changed = begun.elapsed().as_secs();
    ensure!(operators(stage).await? == pods, "the operator was started again");
    values(stage).await?;
    removed(stage, engine_is_there).await?;
    Ok(format!(
        "the README's commands: the Secret with both values was there {synced} s after the first, signed by role eso; \
         {changed} s after `{CHANGE}` the same operator's sync was signed by role eso-2"
    ))
}

/// The operator, as the guide's chart would install it, unless the engine has it already.
async fn operator(stage: &Stage, is_there: bool) -> anyhow::Result<()> {
    if !is_there {
        stage.service_account(OPERATORS, SERVICE_ACCOUNT, &[]).await?;
        stage.until_injected(OPERATORS, SERVICE_ACCOUNT).await?;
        stage.apply("operator", OPERATOR).await?;
    }
    stage.rolled_out(OPERATORS, "deployment/external-secrets").await
}

/// The README's commands before the change of the role, and the change.
fn commands() -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let readme = fs::read_to_string(project::root().join(README))?.replace("\\\n", "");
    let blocks = readme.split("```sh\n").skip(1).filter_map(|block| block.split_once("```"));
    let lines = blocks.flat_map(|(block, _)| block.lines()).filter(|line| !line.starts_with('#'));
    let here = lines.filter(|line| !NOT_HERE.iter().any(|other| line.starts_with(other)));
    let (after, before): (Vec<_>, Vec<_>) =
        here.map(str::to_owned).partition(|line| line.starts_with(CHANGE));
    ensure!(before.len() > 8 && after.len() == 1, "{README} has other commands: {before:?}");
    Ok((before, after))
}

/// The Secret has both properties of the JSON.
async fn values(stage: &Stage) -> anyhow::Result<()> {
    for (key, value) in [("username", "admin"), ("password", PASSWORD)] {
        let line = format!(
            "kubectl -n database get secret database -o 'jsonpath={{.data.{key}}}' | base64 -d"
        );
        let found = stage.shell(&line, 30).await?;
        ensure!(found.trim() == value, "{key} is {found:?}");
    }
    Ok(())
}

/// The operator's pods with their restarts.
async fn operators(stage: &Stage) -> anyhow::Result<String> {
    let columns = "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{\"\\n\"}{end}";
    stage.kubectl(&["-n", OPERATORS, "get", "pods", "-o", columns]).await
}

async fn signed_by(stage: &Stage, role: &str) -> anyhow::Result<bool> {
    let log = stage.kubectl(&["-n", NAMESPACE, "logs", "deployment/podrole-sandbox"]).await?;
    let by = format!("passed on, signed by arn:aws:sts::111122223333:assumed-role/{role}/");
    Ok(log.lines().any(|line| line.contains("secretsmanager.GetSecretValue") && line.contains(&by)))
}

/// Takes the example away, and gives the engine its role back.
async fn removed(stage: &Stage, engine_is_there: bool) -> anyhow::Result<()> {
    let files = ["external-secret.yaml", "store.yaml"];
    for file in files {
        stage.shell(&format!("kubectl delete -f examples/eso/{file}"), 60).await?;
    }
    stage.kubectl(&["delete", "namespace", "database"]).await?;
    if engine_is_there {
        annotate(stage, &format!("{ANNOTATION}={}", role("engine"))).await?;
    }
    stage.shell("kubectl delete -f examples/eso/association.yaml", 60).await.map(drop)
}

async fn annotate(stage: &Stage, annotation: &str) -> anyhow::Result<()> {
    let words = ["-n", OPERATORS, "annotate", "serviceaccount", SERVICE_ACCOUNT, annotation];
    stage.kubectl(&words).await.map(drop)
}
