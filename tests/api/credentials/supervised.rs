//! The agent under its parent process, which starts it again.

use std::{process::Stdio, time::Duration};

use podrole_tests::{
    cluster::Cluster,
    process::{Signal, children, signal},
    project, wait,
};
use tokio::{
    process::Command,
    time::{Instant, sleep, timeout},
};

use super::{NODE, Stage};
use crate::{
    daemons::{self, Daemon},
    http,
};

/// What the kubelet does at best takes a second, and up to five minutes. An SDK tries for a second or two.
const BACK: Duration = Duration::from_secs(2);
/// The watchdog's 10 s, and the start of another agent.
const UNSTUCK: Duration = Duration::from_secs(15);

#[tokio::test]
async fn an_agent_that_is_killed_or_hangs_is_replaced_and_no_connection_is_refused() {
    let stage = Stage::start("supervised").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let kubeconfig = Cluster::shared().await.unwrap().kubeconfig();
    let daemon = daemons::supervised_agent(&kubeconfig, &stage.sandbox, NODE).await.unwrap();
    let token = stage.write_token(&stage.pod("app", "app").await.unwrap()).await.unwrap();
    let served = async |within: Duration| {
        let begun = Instant::now();
        // One connection, which waits in the socket that the parent process keeps.
        let asked = timeout(within, http::credentials(daemon.address, &token)).await;
        let (status, body) = asked.unwrap_or_else(|_| panic!("{}", daemon.log())).unwrap();
        // A new agent may not have read the node's pods yet: an SDK repeats its request then.
        if status != 200 {
            assert_eq!(status, 503, "{body}");
            let left = within.saturating_sub(begun.elapsed());
            http::credentials_until(daemon.address, &token, 200, left).await.unwrap();
        }
        begun.elapsed()
    };
    until_served(&daemon, &token).await;
    for _ in 0..4 {
        signal(agent(&daemon), Signal::KILL).unwrap();
        let took = served(BACK).await;
        assert!(took < BACK, "{took:?}");
        sleep(Duration::from_secs(1)).await;
    }
    signal(agent(&daemon), Signal::STOP).unwrap();
    // Until it has stopped.
    sleep(Duration::from_millis(100)).await;
    let took = served(UNSTUCK).await;
    assert!(took < UNSTUCK, "{took:?}");
    let log = daemon.log();
    assert_eq!(log.matches("the agent has ended; starting it again").count(), 5, "{log}");
    assert!(log.contains("it did not answer for 10 s, and was killed"), "{log}");

    daemon.process().terminate().unwrap();
    wait::until("its end", Duration::from_secs(10), async || Ok(daemon.has_ended())).await.unwrap();
}

/// The agent does not outlive its parent, or it would serve beside the next one.
#[tokio::test]
async fn the_agent_ends_with_its_parent_process() {
    let stage = Stage::start("orphan").await.unwrap();
    let kubeconfig = Cluster::shared().await.unwrap().kubeconfig();
    let daemon = daemons::supervised_agent(&kubeconfig, &stage.sandbox, NODE).await.unwrap();
    let child = agent(&daemon);
    // A credential_process of the agent's would inherit the channel. Only root sees this of another process.
    if let Ok(stdin) = std::fs::read_link(format!("/proc/{child}/fd/0")) {
        assert_eq!(stdin.to_str(), Some("/dev/null"));
    }
    signal(daemon.process().pid().unwrap(), Signal::KILL).unwrap();
    wait::until("the agent's end", Duration::from_secs(2), async || {
        let status = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        Ok(status.is_empty() || status.contains(") Z "))
    })
    .await
    .unwrap();
}

/// What a new agent would meet too is left to the kubelet, with the agent's own exit code.
#[tokio::test]
async fn an_agent_that_cannot_start_is_not_started_again() {
    for (flag, code) in [("--no-such-flag", 2), ("--port=0", 1)] {
        let mut command = Command::new(project::binary("podrole-node").unwrap());
        command.args(["run", "--"]).arg(project::binary("podrole-agent").unwrap()).arg(flag);
        command.args(["--bind-hosts=192.0.2.1", "--region=eu-west-1", "--node-name=n1"]);
        let ended = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let ended = timeout(Duration::from_secs(20), ended).await;
        let ended = ended.expect("it goes on running").unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{said}");
        assert!(said.contains("leaving it to the kubelet"), "{said}");
        let refused = said.contains("give `podrole-node run` the same --bind-hosts and --port");
        assert_eq!(refused, code == 1, "{said}");
    }
}

#[tokio::test]
async fn the_flag_without_a_parent_process_is_an_error_that_names_it() {
    let mut command = Command::new(project::binary("podrole-agent").unwrap());
    command.args(["--supervised", "--region=eu-west-1", "--node-name=n1"]);
    let ended = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let ended = timeout(Duration::from_secs(20), ended).await.unwrap().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("start the agent with `podrole-node run -- podrole-agent"), "{said}");
}

fn agent(daemon: &Daemon) -> u32 {
    let children = children(daemon.process().pid().unwrap()).unwrap();
    assert_eq!(children.len(), 1, "{}", daemon.log());
    children[0]
}

async fn until_served(daemon: &Daemon, token: &str) {
    let patience = Duration::from_secs(20);
    http::credentials_until(daemon.address, token, 200, patience).await.unwrap();
}
