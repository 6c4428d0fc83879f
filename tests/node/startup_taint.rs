//! A pod that asks in its first milliseconds on a node whose agent is not there yet.

use anyhow::ensure;

use crate::{
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::{AGENT, AGENT_NAMESPACE, Stage},
};

const TAINT: &str = "podrole.io/agent-not-ready";
const NAMESPACE: &str = "startup-taint";
const ROLE: &[(&str, &str)] = &[
    ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/startup"),
    ("podrole.io/credentials", "container"),
];

/// Each round takes the agent away, taints the node as a new one would be, and makes a pod at once.
/// aws-sdk-go-v2 gives up sooner than any other SDK.
pub(crate) async fn startup_taint(stage: &Stage) -> Seen {
    let rounds = if std::env::var_os("PODROLE_TEST_ALL").is_some() { 20 } else { 2 };
    stage.images(&["go"]).await?;
    stage.namespace(NAMESPACE, Some("required")).await?;
    stage.service_account(NAMESPACE, "app", ROLE).await?;
    stage.until_injected(NAMESPACE, "app").await?;
    let agents =
        ["-n", AGENT_NAMESPACE, "delete", "pods", "-l", "app.kubernetes.io/component=agent"];
    for round in 0..rounds {
        stage.kubectl(&[&agents[..], &["--wait=false"]].concat()).await?;
        let taint = format!("{TAINT}=:NoSchedule");
        stage.kubectl(&["taint", "nodes", "--all", "--overwrite", &taint]).await?;
        let whoami = container("app", "go", &["/whoami", "go-v2"]);
        let name = format!("early-{round}");
        let ended = stage.run_pod(NAMESPACE, pod(&name, "app", &[whoami]), 90).await?;
        let logs = ended.logs.values().next().cloned().unwrap_or_default();
        ensure!(
            sdks::arn(&logs).is_some_and(|arn| arn.contains("assumed-role/startup/")),
            "round {round}: {logs}"
        );
    }
    let taints = stage.kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].spec.taints}"]).await?;
    ensure!(!taints.contains(TAINT), "still there: {taints}");
    stage.rolled_out(AGENT_NAMESPACE, AGENT).await?;
    Ok(format!(
        "{rounds} of {rounds} pods of a node whose agent starts got their role at the first request"
    ))
}
