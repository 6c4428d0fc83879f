//! podrole on a whole Kubernetes node: the chart installed, real pods, real SDKs, the sync engine, and what may happen to a node.
//!
//! ```text
//!   cluster up (a script) ─► the chart ─► side by side: SDKs, sync engine, tokens, examples
//!                                         one by one:   webhook gone, replaced under load, upgraded, token rotation
//!                                         at the end:   node restarted, chart removed, install.yaml
//! ```
//! `./test node` brings the node up and runs this; words choose checks: `./test node -- sdks rotation`.
#![forbid(unsafe_code)]

mod associations;
mod bad_days;
mod engine;
mod healing;
mod install;
mod load;
mod opt_in;
mod pods;
mod policy;
mod report;
mod restart;
mod rotation;
mod sdks;
mod stage;
mod startup_taint;
mod tokens;
mod trouble;
mod upgrade;

use std::process::ExitCode;

use podrole_tests::http;
use report::Report;
use stage::Stage;
use tokio::sync::OnceCell;

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::var_os("PODROLE_NODE").is_none() {
        println!(
            "there is no node: `./test node` brings one up\ntest result: ok. 0 passed; 0 failed;"
        );
        return ExitCode::SUCCESS;
    }
    let stage = match Stage::attach().await {
        Ok(stage) => stage,
        Err(fault) => {
            eprintln!("{fault:#}");
            return ExitCode::FAILURE;
        }
    };
    let report = Report::new();
    if report.must("install", install::installed(&stage)).await {
        Box::pin(checks(&stage, &report)).await;
    }
    if report.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn checks(stage: &Stage, report: &Report) {
    let rotation = OnceCell::new();
    report.expect(if std::env::var_os("PODROLE_TEST_ALL").is_some() { 27 } else { 24 });
    report
        .run("rotation-begins", async {
            let begun = rotation.get_or_try_init(|| rotation::start(stage)).await?;
            Ok(begun.to_string())
        })
        .await;
    tokio::join!(
        report.run("examples", install::examples(stage)),
        report.run("sdks", sdks::matrix(stage)),
        report.run("engine", engine::synced(stage)),
        report.run("token-deleted-pod", tokens::deleted_pod(stage)),
        report.run("token-foreign-node", tokens::foreign_node(stage)),
    );
    report.run("eso-example", Box::pin(engine::example(stage))).await;
    report.run("associations", Box::pin(associations::associations(stage))).await;
    report.run("policy", Box::pin(policy::served(stage))).await;
    report.run("upgrade-agent", Box::pin(upgrade::agent(stage))).await;
    report.run("upgrade-webhook", Box::pin(upgrade::webhook(stage))).await;
    report.run("upgrade-helm", Box::pin(upgrade::helm(stage))).await;
    report.run("opt-in", Box::pin(opt_in::opt_in(stage))).await;
    if std::env::var_os("PODROLE_TEST_ALL").is_some() {
        report.run("healing", Box::pin(healing::replaced(stage))).await;
    }
    report.run("trouble", Box::pin(trouble::trouble(stage))).await;
    if let Some(begun) = rotation.get() {
        // Before `rotation`: a token that a restart has brought would not be replaced by its age within this time.
        if std::env::var_os("PODROLE_TEST_ALL").is_some() {
            report.run("rotation-expired", rotation::expired(stage, begun)).await;
        }
        report.run("rotation", Box::pin(rotation::rewritten(stage))).await;
    }
    // After `rotation`, whose pods ask all the time: these take the agent away.
    report.run("bad-days-agent", Box::pin(bad_days::agent::agent(stage))).await;
    report.run("startup-taint", Box::pin(startup_taint::startup_taint(stage))).await;
    report.run("bad-days-local", Box::pin(bad_days::local::sandbox_killed(stage))).await;
    report.run("restart", Box::pin(restart::restart(stage))).await;
    report.run("bad-days-drain", Box::pin(bad_days::drained(stage))).await;
    report.run("bad-days-removal", Box::pin(bad_days::removed_and_installed_again(stage))).await;
    report.run("uninstall", Box::pin(install::uninstalled(stage))).await;
    if std::env::var_os("PODROLE_TEST_ALL").is_some() {
        report.run("bad-days-readme", Box::pin(bad_days::readme::followed(stage))).await;
    }
    report.run("plain", Box::pin(install::plain(stage))).await;
}
