//! The API server goes away: known ServiceAccounts get credentials, unknown ones get an error, and
//! a restarted agent still verifies tokens.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{AUDIENCE, NODE, Stage, make_node};
use crate::{
    daemons::{self, Daemon},
    http,
    wire::Wire,
};
use podrole_tests::{cluster::Cluster, namespace::plain_pod};

/// For the cluster to be heard of again.
const PATIENCE: Duration = Duration::from_secs(20);

/// An agent whose way to the API server is `wire`, and that keeps the keys in `folder`.
async fn agent(stage: &Stage, wire: &Wire, folder: &Path) -> Daemon {
    let cluster = Cluster::shared().await.unwrap();
    let kubeconfig = wire.kubeconfig(cluster, folder).unwrap();
    let keys = format!("--keys-cache={}", folder.join("keys.json").display());
    daemons::start_agent(&kubeconfig, &stage.sandbox, NODE, &[&keys], &[]).await.unwrap()
}

/// A pod's token; the pod is on `node`, if on any.
async fn token(stage: &Stage, name: &str, account: &str, node: Option<&str>) -> String {
    let mut pod = plain_pod(name, account);
    pod["spec"]["nodeName"] = json!(node);
    let pod = stage.namespace.pod(pod).await.unwrap();
    stage.namespace.bound_token(&pod, AUDIENCE, 3600).await.unwrap()
}

#[tokio::test]
async fn known_pods_are_served_and_unknown_ones_by_their_tokens_node_alone() {
    let stage = Stage::start("away").await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    make_node(cluster, "node-2").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    stage.service_account("other", "container").await.unwrap();
    let (wire, folder) = (Wire::to(cluster).await.unwrap(), tempfile::tempdir().unwrap());
    let agent = agent(&stage, &wire, folder.path()).await;
    daemons::until_ready(&agent).await.unwrap();
    let known = token(&stage, "known", "app", Some(NODE)).await;
    assert_eq!(http::credentials(agent.address, &known).await.unwrap().0, 200, "{}", agent.log());

    wire.cut();
    // They come to be behind the agent's back.
    let here = token(&stage, "here", "app", Some(NODE)).await;
    let nowhere = token(&stage, "nowhere", "app", None).await;
    let there = token(&stage, "there", "app", Some("node-2")).await;
    let stranger = token(&stage, "stranger", "other", Some(NODE)).await;
    // Longer than anything that was looked up is believed without asking.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        for (token, status, code) in [
            (&known, 200, Value::Null),
            (&here, 200, Value::Null),
            (&nowhere, 503, json!("TryAgain")),
            (&there, 403, json!("PodNotServed")),
            (&stranger, 503, json!("TryAgain")),
        ] {
            let (answered, body) = http::credentials(agent.address, token).await.unwrap();
            assert_eq!((answered, &body["code"]), (status, &code), "{body}\n{}", agent.log());
        }
        sleep(Duration::from_millis(200)).await;
    }

    // A new agent has nothing but the keys: it can tell a bad token from a good one.
    drop(agent);
    let again = self::agent(&stage, &wire, folder.path()).await;
    let (head, _) = known.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(342));
    let (status, body) = http::credentials(again.address, &forged).await.unwrap();
    assert_eq!((status, &body["code"]), (400, &json!("InvalidToken")), "{body}");
    let (status, body) = http::credentials(again.address, &known).await.unwrap();
    assert_eq!((status, &body["code"]), (503, &json!("TryAgain")), "{body}");
    wire.restore();
    for (token, status) in [(&known, 200), (&stranger, 403)] {
        http::credentials_until(again.address, token, status, PATIENCE).await.unwrap();
    }
}

/// Nothing comes back, and nothing says so: what is known is served in the time that SDKs give us.
#[tokio::test]
async fn known_pods_are_served_while_the_api_server_says_nothing() {
    let stage = Stage::start("stalled").await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let (wire, folder) = (Wire::to(cluster).await.unwrap(), tempfile::tempdir().unwrap());
    let agent = agent(&stage, &wire, folder.path()).await;
    daemons::until_ready(&agent).await.unwrap();
    let known = token(&stage, "known", "app", Some(NODE)).await;
    assert_eq!(http::credentials(agent.address, &known).await.unwrap().0, 200, "{}", agent.log());
    wire.stall();
    // What was looked up is believed for 4 s; each of these asks anew.
    for _ in 0..3 {
        sleep(Duration::from_secs(5)).await;
        let begun = Instant::now();
        let (status, body) = http::credentials(agent.address, &known).await.unwrap();
        assert_eq!(status, 200, "{body}\n{}", agent.log());
        assert!(begun.elapsed() < Duration::from_millis(800), "{:?}", begun.elapsed());
    }
}
