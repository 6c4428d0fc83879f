//! The agent's processes die, or hang.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::core::v1::Pod;
use tokio::time::{Instant, sleep};

use crate::{
    pods::{container, pod},
    report::Seen,
    stage::{self, Stage},
    tokens::{ask, bound_token},
};

const NAMESPACE: &str = "bad-days-agent";
const ROLE: &[(&str, &str)] = &[
    ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/bad-days-agent"),
    ("podrole.io/credentials", "container"),
];
/// How the processes are found among those of the node. The brackets keep the shell that searches from finding itself.
const AGENT: &str = "-x podrole-agent";
const PARENT: &str = "-f '[p]odrole-node.*run.*--health-socket'";
/// A kubelet alone took 1, 12, 21 and 42 s, because its pause grows.
const KILLED: Duration = Duration::from_secs(1);
/// A kubelet alone never noticed.
const STOPPED: Duration = Duration::from_secs(15);
/// The kubelet's first pause.
const PARENT_KILLED: Duration = Duration::from_secs(30);

pub(crate) async fn agent(stage: &Stage) -> Seen {
    stage.namespace(NAMESPACE, Some("enabled")).await?;
    stage.service_account(NAMESPACE, "app", ROLE).await?;
    stage.until_injected(NAMESPACE, "app").await?;
    let manifest = pod("app", "app", &[container("app", "busybox", &["sleep", "3600"])]);
    let stored: Pod = stage.create(NAMESPACE, manifest).await?;
    stage.until_ready(NAMESPACE, "app", 120).await?;
    let token = bound_token(stage, &stored).await?;
    until_served(&token, Duration::from_secs(30)).await?;
    let mut killed = Vec::new();
    for round in 1..=4 {
        signal(stage, "KILL", AGENT).await?;
        let took = until_served(&token, PARENT_KILLED).await?;
        ensure!(took < KILLED, "killed for the {round}. time: served again after {took:?}");
        killed.push(took.as_millis().to_string());
        sleep(Duration::from_secs(4)).await;
    }
    signal(stage, "STOP", AGENT).await?;
    let stopped = until_served(&token, Duration::from_secs(90)).await?;
    ensure!(stopped < STOPPED, "stopped: served again after {stopped:?}");
    signal(stage, "KILL", PARENT).await?;
    let parent = until_served(&token, PARENT_KILLED).await?;
    Ok(format!(
        "served again {} ms after the agent was killed four times, 4 s apart; {:.1} s after SIGSTOP; {:.1} s after its parent was killed, which the kubelet starts again",
        killed.join(", "),
        stopped.as_secs_f64(),
        parent.as_secs_f64()
    ))
}

async fn signal(stage: &Stage, name: &str, which: &str) -> anyhow::Result<()> {
    stage.cluster("exec", &["sh", "-c", &format!("pkill -{name} {which}")]).await?;
    Ok(())
}

/// How long it takes until a request is answered with credentials. A process that was signalled just now may still
/// answer one, so it waits a little first.
async fn until_served(token: &str, patience: Duration) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    sleep(Duration::from_millis(20)).await;
    stage::until("credentials", patience.as_secs(), async || {
        let asked = tokio::time::timeout(Duration::from_secs(1), ask(token)).await;
        Ok(asked.is_ok_and(|answer| answer.is_ok_and(|(status, _)| status == 200)))
    })
    .await?;
    Ok(begun.elapsed())
}
