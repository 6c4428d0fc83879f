//! The CRDs are missing: both daemons say so and wait, and go on once they are installed.

use std::time::Duration;

use podrole_tests::{cluster::Cluster, wait};
use serde_json::json;

use super::stage::install_on;
use crate::daemons::{self, Daemon};

const NAMES: [&str; 3] =
    ["podidentityassociations", "podidentitypatterns", "podidentityguardrails"];

async fn is_unready(daemon: &Daemon) -> anyhow::Result<bool> {
    let (status, body) = daemons::readiness(daemon).await?;
    Ok(status == 503 && body.contains("PodIdentityAssociations"))
}

#[tokio::test]
async fn without_the_crds_both_are_unready_until_they_are_installed() {
    let cluster = Cluster::start("https://without-crds.example").await.unwrap();
    let kubeconfig = cluster.kubeconfig();
    let flags = ["--association-objects"];
    let webhook = daemons::unready_webhook(&kubeconfig, &flags).await.unwrap().daemon;
    let sandbox = daemons::sandbox_of(&json!({"accounts": {"111122223333": {}}})).await.unwrap();
    let agent = daemons::start_agent(&kubeconfig, &sandbox, "node-1", &flags, &[]).await.unwrap();
    for daemon in [&webhook, &agent] {
        let says = async || {
            let log = daemon.log();
            let named = |name: &&str| log.contains(&format!("\"crd\":\"{name}.podrole.io\""));
            Ok(NAMES.iter().all(named) && log.contains("crds.install=true"))
        };
        let said = wait::until("the log to name the CRDs", Duration::from_secs(20), says).await;
        said.unwrap_or_else(|error| panic!("{error:#}\n{}", daemon.log()));
        assert!(is_unready(daemon).await.unwrap(), "{}", daemon.log());
        // Once each, not at each retry.
        let lines = daemon.log().matches("crds.install=true").count();
        assert_eq!(lines, NAMES.len(), "{}", daemon.log());
    }
    install_on(&cluster.client().await.unwrap()).await.unwrap();
    for daemon in [&webhook, &agent] {
        let ready = async || Ok(daemons::readiness(daemon).await?.0 == 200);
        let ready = wait::until("readiness", Duration::from_secs(60), ready).await;
        ready.unwrap_or_else(|error| panic!("{error:#}\n{}", daemon.log()));
    }
}
