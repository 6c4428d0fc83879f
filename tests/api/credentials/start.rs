//! Errors that keep an agent from starting: it prints one line with the fix, and exits.

use std::{process::Stdio, time::Duration};

use podrole_tests::{cluster::Cluster, project};
use tokio::{process::Command, time::timeout};

use super::Stage;

/// What the agent says with these flags before it ends; it must end, and not well.
pub(super) async fn fails(flags: &[&str]) -> String {
    let mut command = Command::new(project::binary("podrole-agent").unwrap());
    let kubeconfig = Cluster::shared().await.unwrap().kubeconfig();
    command.args(["--metrics-address=127.0.0.1", "--metrics-port=0", "--node-name=node-1"]);
    command.arg("--kubeconfig").arg(kubeconfig).args(flags).env_remove("AWS_REGION");
    let ended = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let ended = timeout(Duration::from_secs(20), ended).await;
    let ended = ended.expect("it goes on running").unwrap();
    assert_eq!(ended.status.code(), Some(1), "{flags:?}");
    let said = String::from_utf8(ended.stderr).unwrap();
    let mut errors = said.lines().filter_map(|line| line.strip_prefix("podrole-agent: "));
    let (one, more) = (errors.next().map(str::to_owned), errors.next());
    assert_eq!(more, None, "{said}");
    one.unwrap_or_else(|| panic!("it did not say why: {said}"))
}

#[tokio::test]
async fn the_error_for_a_missing_or_taken_resource_says_how_to_fix_it() {
    let stage = Stage::start("start").await.unwrap();
    let port = format!("--port={}", stage.agent.address.port());
    let here = ["--bind-hosts=127.0.0.1", "--region=eu-west-1"];
    // Another agent has the address, and hands nothing over.
    let said = fails(&[here[0], here[1], &port]).await;
    assert!(said.contains(&stage.agent.address.to_string()), "{said}");
    assert!(said.contains("choose another port, or stop the process that uses this one"), "{said}");
    let said = fails(&["--bind-hosts=192.0.2.1", here[1], "--port=0"]).await;
    assert!(said.contains("no interface of this machine has this address"), "{said}");
    let said = fails(&[here[0], "--port=0"]).await;
    assert_eq!(said, "no AWS region; set --region or AWS_REGION");
    let said = fails(&[here[0], here[1], "--port=0", "--exchange=assume-role"]).await;
    assert!(said.contains("needs --cluster-name"), "{said}");
    let said = fails(&["--bind-hosts=0.0.0.0", here[1], "--pod-liveness=off"]).await;
    assert!(said.contains("--pod-liveness off is allowed on loopback only"), "{said}");
}
