//! The sandbox is killed while a pod and the sync engine use it: both go on, and a ServiceAccount that asks first gets no role of
//! another.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    engine,
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::{self, Stage},
};

const PLACE: &str = "bad-days-local";
/// Seconds from the kill until a pod's call succeeds again.
const MOST: u64 = 10;

pub(crate) async fn sandbox_killed(stage: &Stage) -> Seen {
    stage.namespace(PLACE, Some("required")).await?;
    let role = [
        ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/bad-days"),
        ("podrole.io/credentials", "container"),
    ];
    for account in ["app", "stranger"] {
        stage.service_account(PLACE, account, &role).await?;
        stage.until_injected(PLACE, account).await?;
    }
    let looping = container("app", "python", &["/whoami", "boto3", "loop", "1"]);
    stage.create::<Pod>(PLACE, pod("app", "app", &[looping])).await?;
    stage::until("the pod's first call", 120, async || Ok(successes(stage).await? > 0)).await?;

    let has_engine = engine::put_another_value(stage).await?;
    // Its process, not its pod: a SYN to the address of a pod that is gone is lost, and boto3 waits 60 s for its answer.
    stage.cluster("exec", &["pkill", "-KILL", "-x", "podrole-sandbox"]).await?;
    let begun = Instant::now();
    let before = failures(stage).await?;
    let (calls, synced) = tokio::join!(calls_again(stage, begun), async {
        if !has_engine {
            return Ok("the sync engine was not installed".to_owned());
        }
        engine::synced_again(stage).await
    });
    let (synced, back) = (synced?, calls?);
    let refused = failures(stage).await?.into_iter().skip(before.len());
    let refused: Vec<_> = refused.filter(|line| line.contains("InvalidClientTokenId")).collect();
    ensure!(refused.is_empty(), "the sandbox does not know the pod's session: {}", refused[0]);
    ensure!(back <= MOST, "right {back} s after the kill");

    let stranger = stage.run_pod(PLACE, once("stranger"), 120).await?;
    let said = stranger.logs.values().next().cloned().unwrap_or_default();
    ensure!(sdks::arn(&said).is_none(), "a stranger got the role: {said}");
    let again = stage.run_pod(PLACE, once("app"), 120).await?;
    let said = again.logs.values().next().cloned().unwrap_or_default();
    let arn = sdks::arn(&said).with_context(|| format!("the role's own pod: {said}"))?;
    ensure!(arn.contains("assumed-role/bad-days/"), "{arn}");
    Ok(format!(
        "a running pod's calls succeed {back} s after the kill; a stranger is denied; {synced}"
    ))
}

/// Waits for three calls of the pod, so that one that was on its way does not count. Returns the seconds until the first.
async fn calls_again(stage: &Stage, begun: Instant) -> anyhow::Result<u64> {
    let wanted = successes(stage).await? + 3;
    let come = stage::until("the pod's calls after the kill", 60, async || {
        Ok(successes(stage).await? >= wanted)
    });
    if let Err(error) = come.await {
        let log = stage.log(PLACE, "app", "app").await?;
        let last: Vec<_> = log.lines().rev().take(3).collect();
        return Err(error.context(format!("the pod's last lines: {}", last.join("\n"))));
    }
    Ok(begun.elapsed().as_secs().saturating_sub(3))
}

/// A pod that asks once.
fn once(account: &str) -> Value {
    pod(&format!("once-{account}"), account, &[container("app", "python", &["/whoami", "boto3"])])
}

async fn successes(stage: &Stage) -> anyhow::Result<usize> {
    let log = stage.log(PLACE, "app", "app").await.unwrap_or_default();
    Ok(log.lines().filter(|line| sdks::arn(line).is_some()).count())
}

async fn failures(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let log = stage.log(PLACE, "app", "app").await?;
    Ok(log.lines().filter(|line| line.contains("\"error\"")).map(str::to_owned).collect())
}
