//! An agent replaced by its successor, while pods ask.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use podrole_identity::AGENT_AUDIENCE;
use podrole_tests::{cluster::Cluster, project};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{interval, sleep},
};

use super::{NODE, Stage};
use crate::{daemons::REGION, http};

/// An agent that can be asked to end: the others of these tests are killed.
struct Agent {
    child: Child,
    address: SocketAddr,
}

/// Starts the agent of a pod `name`, whose token says so.
async fn start(stage: &Stage, name: &str, port: u16) -> anyhow::Result<Agent> {
    let (folder, sts) = (stage.folder.path(), stage.sandbox.address);
    let token = folder.join(format!("{name}.token"));
    let pod = stage.pod(name, "agent").await?;
    let shown = stage.namespace.bound_token(&pod, AGENT_AUDIENCE, 3600).await?;
    std::fs::write(&token, shown)?;
    let log = folder.join(name);
    let handover = folder.join("handover");
    let child = Command::new(project::binary("podrole-agent")?)
        .args(["--bind-hosts=127.0.0.1", "--metrics-address=127.0.0.1", "--metrics-port=0"])
        .arg(format!("--port={port}"))
        .arg(format!("--region={REGION}"))
        .arg(format!("--node-name={NODE}"))
        .arg(format!("--sts-endpoint-url=http://{sts}"))
        .arg("--kubeconfig")
        .arg(Cluster::shared().await?.kubeconfig())
        .arg("--handover")
        .arg(handover)
        .arg("--handover-token")
        .arg(token)
        .stderr(std::fs::File::create(&log)?)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    for _ in 0..600 {
        let said = std::fs::read_to_string(&log)?;
        let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut lines = lines.filter(|line| line["message"] == "serving credentials");
        if let Some(line) = lines.next() {
            let address = line["address"].as_str().unwrap_or_default().parse()?;
            return Ok(Agent { child, address });
        }
        sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{name} did not start: {}", std::fs::read_to_string(&log)?)
}

impl Agent {
    async fn end(mut self) {
        let pid = self.child.id().unwrap().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(killed.success());
        assert!(self.child.wait().await.unwrap().success());
    }
}

#[tokio::test]
async fn a_replacement_loses_no_request_of_1000_a_second() {
    let stage = Stage::start("replaced").await.unwrap();
    for name in ["app", "agent"] {
        stage.service_account(name, "container").await.unwrap();
    }
    let pod = stage.pod("app", "app").await.unwrap();
    let token = Arc::new(stage.write_token(&pod).await.unwrap());
    let folder = stage.folder.path();
    let first = start(&stage, "first", 0).await.unwrap();
    let address = first.address;
    let patience = Duration::from_secs(5);
    http::credentials_until(address, &token, 200, patience).await.unwrap();

    let failed = Arc::new(AtomicUsize::new(0));
    let load = tokio::spawn(load(address, Arc::clone(&token), Arc::clone(&failed)));
    sleep(Duration::from_millis(300)).await;
    let second = start(&stage, "second", address.port()).await.unwrap();
    assert_eq!(second.address, address);
    first.end().await;
    let sent = load.await.unwrap();
    assert_eq!(
        failed.load(SeqCst),
        0,
        "of {sent}: {:?}",
        std::fs::read_to_string(folder.join("second"))
    );
    assert!(sent >= 2000, "{sent}");
    let patience = Duration::from_secs(5);
    http::credentials_until(address, &token, 200, patience).await.unwrap();
}

/// A new connection each millisecond, as often as it takes for a replacement and then some.
async fn load(address: SocketAddr, token: Arc<String>, failed: Arc<AtomicUsize>) -> usize {
    let (mut tick, mut asking) = (interval(Duration::from_millis(1)), JoinSet::new());
    let sent = 4000;
    for _ in 0..sent {
        tick.tick().await;
        let (token, failed) = (Arc::clone(&token), Arc::clone(&failed));
        asking.spawn(async move {
            let asked = http::get(address, "/v1/credentials", Some(&token)).await;
            if !matches!(asked, Ok((200, _))) {
                failed.fetch_add(1, SeqCst);
            }
        });
    }
    asking.join_all().await;
    sent
}
