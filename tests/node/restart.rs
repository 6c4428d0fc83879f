//! The node loses all its processes, as by a power cut, and comes back by itself.

use anyhow::ensure;

use crate::{
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::{self, AGENT, AGENT_NAMESPACE, NAMESPACE, Stage, WEBHOOK},
};

/// The daemons in an order in which nothing finds what it needs, and in the usual one.
const ORDERS: [&[&str]; 2] = [
    &[
        "containerd",
        "kubelet",
        "coredns",
        "kube-proxy",
        "etcd",
        "kube-apiserver",
        "kube-scheduler",
        "kube-controller-manager",
    ],
    &[
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
        "coredns",
        "containerd",
        "kubelet",
    ],
];
const ROLE: &[(&str, &str)] = &[
    ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/restart"),
    ("podrole.io/credentials", "container"),
];

pub(crate) async fn restart(stage: &Stage) -> Seen {
    stage.namespace("restart", Some("required")).await?;
    stage.service_account("restart", "app", ROLE).await?;
    stage.until_injected("restart", "app").await?;
    let mut seen = Vec::new();
    for (round, order) in ORDERS.iter().enumerate() {
        // Every process of the node's, pods' too, but the first: that holds the namespaces.
        let _ = stage.cluster("exec", &["sh", "-c", "kill -KILL -1"]).await;
        // Until they are gone: one that is dying still would not be started.
        stage.cluster("stop", order).await?;
        stage.cluster("start", order).await?;
        let begun = tokio::time::Instant::now();
        back(stage).await?;
        let name = format!("after-{round}");
        let ended = stage
            .run_pod(
                "restart",
                pod(&name, "app", &[container("app", "python", &["/whoami", "boto3"])]),
                120,
            )
            .await?;
        let said = ended.logs.values().next().cloned().unwrap_or_default();
        ensure!(
            sdks::arn(&said).is_some_and(|arn| arn.contains("assumed-role/restart/")),
            "after restart {round}: {said}"
        );
        seen.push(format!(
            "{} first: a new pod of a `required` namespace had its role {} s later",
            order[0],
            begun.elapsed().as_secs()
        ));
    }
    Ok(seen.join("; "))
}

/// Waits until API server, node and podrole are back.
async fn back(stage: &Stage) -> anyhow::Result<()> {
    for (namespace, what) in
        [(NAMESPACE, WEBHOOK), (NAMESPACE, "deployment/podrole-sandbox"), (AGENT_NAMESPACE, AGENT)]
    {
        stage::until(&format!("{what} to be back"), 240, async || {
            Ok(stage
                .kubectl(&["-n", namespace, "rollout", "status", what, "--timeout=5s"])
                .await
                .is_ok())
        })
        .await?;
    }
    stage.until_injected("restart", "app").await
}
