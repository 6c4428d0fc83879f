//! `podrole demo`: the whole path from a pod to its AWS credentials, on one machine and with the
//! code that runs in a cluster.
//!
//! ```text
//!   manifests ─► AdmissionReview ─► webhook ─► patched pod ─► tokens on disk
//!                                                                  │
//!             ┌──── web identity: SDK ─► sandbox STS ◄─────────────┤
//!             └──── container:    SDK ─► agent ─► sandbox STS ◄────┘
//! ```
//!
//! Only the cluster is simulated: the API server's admission review (`api_server`) and the
//! kubelet's tokens (`kubelet`). Webhook, agent, sandbox, certificates and SDK are the real ones.

mod agent;
mod api_server;
mod args;
mod client;
mod cloud;
mod failure;
mod kubelet;
mod plan;
mod pod_run;
mod refusals;
mod report;
mod service_accounts;
mod stage;
mod story;

pub(crate) use args::DemoArgs;
pub(crate) use failure::Failure;

use std::process::ExitCode;

use crate::{diff, manifests};

/// Runs the demo. The exit code is 0 if every step succeeded, or the exit code of the user's
/// command.
pub(crate) async fn run(args: DemoArgs) -> ExitCode {
    let mut report = report::Report::new(args.json, args.command.is_empty());
    let result = tokio::select! {
        result = story::run(&args, &mut report) => result,
        () = interrupted(&args) => return ExitCode::from(130),
    };
    let code = result.unwrap_or_else(|failure| {
        report.fail(failure);
        ExitCode::FAILURE
    });
    report.finish();
    code
}

/// Completes at Ctrl-C or SIGTERM; dropping the demo then cleans up. While the user's command runs,
/// Ctrl-C is ignored here: the terminal sends it to the command too, and a shell, for example, does
/// not exit.
async fn interrupted(args: &DemoArgs) {
    let interrupt = async {
        // Without a handler the signal would kill this process before it cleans up.
        let received = tokio::signal::ctrl_c().await;
        if received.is_err() || !args.command.is_empty() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
