//! `podrole demo`: the main job on one machine, with the same code that runs in a cluster.
//!
//! ```text
//!   manifests ─► AdmissionReview ─► webhook ─► patched pod ─► tokens on disk
//!                                                                  │
//!             ┌──── web identity: SDK ─► sandbox STS ◄─────────────┤
//!             └──── container:    SDK ─► agent ─► sandbox STS ◄────┘
//! ```
//!
//! Only the cluster is played: the API server's review (`api_server`) and the kubelet's tokens
//! (`kubelet`). Webhook, agent, sandbox, certificates and SDK are the real ones.

mod accounts;
mod agent;
mod api_server;
mod args;
mod client;
mod cloud;
mod failure;
mod kubelet;
mod refusals;
mod report;
mod stage;
mod story;

pub(crate) use args::DemoArgs;
pub(crate) use failure::Failure;

use std::process::ExitCode;

use crate::{diff, manifests};

/// Runs the demo. The exit code is 0 only if every step happened, or the code of the person's
/// own command.
pub(crate) async fn run(args: DemoArgs) -> ExitCode {
    let mut report = report::Report::new(args.json, args.command.is_empty());
    let told = tokio::select! {
        told = story::tell(&args, &mut report) => told,
        () = interrupted(&args) => return ExitCode::from(130),
    };
    match told {
        Ok(code) => {
            report.finish(None);
            code
        }
        Err(failure) => {
            report.finish(Some(&failure));
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C or SIGTERM ends the demo, and dropping it cleans up. While a command of the person's own
/// runs, Ctrl-C is that command's: a shell does not end at it.
async fn interrupted(args: &DemoArgs) {
    let interrupt = async {
        // Listened for in either case: unheard, the signal would end us before we clean up.
        let heard = tokio::signal::ctrl_c().await;
        if heard.is_err() || !args.command.is_empty() {
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
