//! The sandbox is killed while a pod and the sync engine use it: both go on, and a ServiceAccount that asks first gets no role of
//! another.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::{self, NAMESPACE, Stage},
};

const PLACE: &str = "bad-days-local";
const SANDBOX: &str = "app.kubernetes.io/component=sandbox";
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

    let last_sync = syncs(stage).await?;
    let kill = ["-n", NAMESPACE, "delete", "pod", "-l", SANDBOX, "--force", "--grace-period=0"];
    stage.kubectl(&kill).await?;
    let begun = Instant::now();
    let before = failures(stage).await?;
    // Three calls in a row, so that one that was on its way does not count.
    let wanted = successes(stage).await? + 3;
    stage::until("the pod's calls after the kill", 60, async || {
        Ok(successes(stage).await? >= wanted)
    })
    .await?;
    let back = begun.elapsed().as_secs().saturating_sub(3);
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
    let synced = resynced(stage, &last_sync).await?;
    Ok(format!(
        "a running pod's calls succeed {back} s after the kill; a stranger is denied; {synced}"
    ))
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

/// Name, time of the last synchronisation and readiness of each ExternalSecret; empty if the engine was not installed.
async fn syncs(stage: &Stage) -> anyhow::Result<Vec<(String, String, bool)>> {
    let words = ["-n", "engine", "get", "externalsecrets", "-o", "json"];
    let Ok(json) = stage.kubectl(&words).await else {
        return Ok(Vec::new());
    };
    let list: Value = serde_json::from_str(&json)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = list["items"].as_array().into_iter().flatten().map(|item| {
        let conditions = item["status"]["conditions"].as_array().into_iter().flatten();
        let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
        let ready = ready.any(|condition| condition["status"] == "True");
        (text(&item["metadata"]["name"]), text(&item["status"]["refreshTime"]), ready)
    });
    // The third one's store never works.
    Ok(items.filter(|(name, ..)| name != "stranger").collect())
}

/// Waits until each ExternalSecret was synchronised once more. The engine retries a failure after minutes only.
async fn resynced(stage: &Stage, before: &[(String, String, bool)]) -> anyhow::Result<String> {
    if before.is_empty() {
        return Ok("the sync engine was not installed".to_owned());
    }
    let begun = Instant::now();
    let stale = std::cell::RefCell::new(Vec::new());
    let done = stage::until("the next synchronisation", 45, async || {
        let now = syncs(stage).await?;
        let behind = now.into_iter().filter(|one| !one.2 || before.contains(one));
        *stale.borrow_mut() = behind.collect();
        Ok(stale.borrow().is_empty())
    })
    .await;
    done.with_context(|| format!("{:?}", stale.borrow()))?;
    let (count, seconds) = (before.len(), begun.elapsed().as_secs());
    Ok(format!("{count} ExternalSecrets were synchronised again within {seconds} s"))
}
