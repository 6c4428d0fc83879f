//! `podrole-node run`: keeps the agent running, and its sockets open meanwhile.
//!
//! The kubelet starts a container that has ended again after a pause that doubles, up to five minutes. This program
//! starts the agent again in milliseconds. If it ends itself, the kubelet's pause counts.

mod child;
mod held_sockets;
mod restarts;
mod watchdog;

use std::{
    ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};

use anyhow::Context as _;
use podrole_runtime::shutdown;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{channel::Reply, sockets::MAX_SOCKETS};
use child::Agent;
use held_sockets::HeldSockets;
use restarts::{Ended, Next, Restarts};
use watchdog::Watchdog;

/// What to run.
pub struct Supervised {
    /// The agent's program and its flags.
    pub command: Vec<OsString>,
    /// What the agent may listen on.
    pub addresses: Vec<SocketAddr>,
    /// Where the agent answers `podrole-node health`.
    pub health_socket: Option<PathBuf>,
}

/// Runs the agent until SIGTERM or SIGINT, or until it ends for a reason that a new one would meet too. Returns the
/// agent's exit code. Must be called from the runtime's main thread: the agent ends with the thread that starts it.
///
/// # Errors
/// If the program cannot be started.
pub async fn run(supervised: Supervised) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        supervised.addresses.len() <= MAX_SOCKETS,
        "--bind-hosts has more than {MAX_SOCKETS} addresses; give fewer"
    );
    let shutdown = shutdown::on_signal().context("signals")?;
    let held = Arc::new(HeldSockets::new(supervised.addresses.clone()));
    let mut restarts = Restarts::default();
    loop {
        let (begun, watchdog) = (Instant::now(), Watchdog::default());
        let reply = Reply { restarts: restarts.count, ..Reply::default() };
        let ended = match Agent::start(&supervised.command, &held, reply) {
            Ok(agent) => match live(agent, &supervised, &held, &watchdog, &shutdown).await? {
                Life::Ended(ended) => ended,
                Life::Stopped(code) => return Ok(code),
            },
            Err(error) if restarts.count > 0 => {
                let error = format!("{error:#}");
                tracing::error!(error, "could not start the agent");
                Ended::NotStarted
            }
            Err(error) => return Err(error),
        };
        if watchdog.was_ready() {
            held.set_served();
        }
        match restarts.next(ended, begun.elapsed(), watchdog.was_ready()) {
            Next::Start(pause) => {
                let (lived, reason) = (begun.elapsed().as_secs(), reason(ended));
                let restarts = restarts.count;
                tracing::error!(
                    reason,
                    lived_seconds = lived,
                    restarts,
                    "the agent has ended; starting it again, and keeping its sockets open"
                );
                if pause_or_shutdown(pause, &shutdown).await {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            Next::End(code) => {
                if ended != Ended::Code(0) {
                    let reason = reason(ended);
                    tracing::error!(
                        reason,
                        "the agent has ended, and another one would too; leaving it to the kubelet"
                    );
                }
                return Ok(code.into());
            }
        }
    }
}

/// How an agent's life went.
enum Life {
    Ended(Ended),
    /// This program got SIGTERM, and ends with this code.
    Stopped(ExitCode),
}

async fn live(
    mut agent: Agent,
    supervised: &Supervised,
    held: &HeldSockets,
    watchdog: &Watchdog,
    shutdown: &CancellationToken,
) -> anyhow::Result<Life> {
    let watched = watch(watchdog, supervised.health_socket.as_ref());
    let life = tokio::select! {
        ended = agent.ended() => Life::Ended(ended?),
        () = watched => {
            agent.kill().await?;
            Life::Ended(Ended::Hung)
        }
        () = shutdown.cancelled() => {
            held.close();
            Life::Stopped(match agent.terminate().await? {
                Ended::Code(code) => code.into(),
                // Before it listened for signals.
                Ended::Signal(15) => ExitCode::SUCCESS,
                Ended::Signal(_) | Ended::Hung | Ended::NotStarted => ExitCode::FAILURE,
            })
        }
    };
    agent.clean_up();
    Ok(life)
}

async fn watch(watchdog: &Watchdog, health_socket: Option<&PathBuf>) {
    match health_socket {
        Some(path) => watchdog.watch(path).await,
        None => std::future::pending().await,
    }
}

/// Whether the shutdown came before the pause was over.
async fn pause_or_shutdown(pause: Duration, shutdown: &CancellationToken) -> bool {
    tokio::select! {
        () = sleep(pause) => false,
        () = shutdown.cancelled() => true,
    }
}

fn reason(ended: Ended) -> String {
    match ended {
        Ended::Code(code) => format!("it exited with code {code}"),
        Ended::Signal(signal) => format!("it was killed by signal {signal}"),
        Ended::Hung => "it did not answer for 10 s, and was killed".to_owned(),
        Ended::NotStarted => "it could not be started".to_owned(),
    }
}
