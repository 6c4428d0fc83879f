//! `podrole-node run`: keeps the agent running, and its sockets open meanwhile.
//!
//! The kubelet starts a container that has ended again after a pause that doubles, up to five minutes. This program
//! starts the agent again in milliseconds. If it ends itself, the kubelet's pause counts.

mod held_sockets;
mod restarts;
mod watchdog;

use std::{
    ffi::OsString,
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{ExitCode, ExitStatus},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use podrole_runtime::shutdown;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::channel::pair;
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
    let shutdown = shutdown::on_signal().context("signals")?;
    let held = Arc::new(HeldSockets::new(supervised.addresses.clone()));
    let mut restarts = Restarts::default();
    loop {
        let (begun, watchdog) = (Instant::now(), Watchdog::default());
        let mut child = start(&supervised, &held, restarts.count)?;
        let watched = watch(&watchdog, supervised.health_socket.as_ref());
        let ended = tokio::select! {
            status = child.wait() => ended(status?),
            () = watched => {
                child.kill().await?;
                Ended::Hung
            }
            () = shutdown.cancelled() => {
                held.close();
                return end(child).await;
            }
        };
        let lived = begun.elapsed();
        match restarts.next(ended, lived, watchdog.was_ready()) {
            Next::Start(pause) => {
                let (lived, reason) = (lived.as_secs(), reason(ended));
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

/// Starts an agent whose standard input is the channel.
fn start(supervised: &Supervised, held: &Arc<HeldSockets>, restarts: u64) -> anyhow::Result<Child> {
    let (program, flags) = supervised.command.split_first().context("no command to run")?;
    let (ours, theirs) = pair().context("could not make a channel to the agent")?;
    let mut command = Command::new(program);
    command.args(flags).arg("--supervised").stdin(theirs).kill_on_drop(true);
    let child = command.spawn();
    let child = child.with_context(|| format!("could not start {}", program.display()))?;
    let held = Arc::clone(held);
    // Ends with the agent, which has the only other end.
    spawn_blocking(move || held.serve(&ours, restarts));
    Ok(child)
}

async fn watch(watchdog: &Watchdog, health_socket: Option<&PathBuf>) {
    match health_socket {
        Some(path) => watchdog.watch(path).await,
        None => std::future::pending().await,
    }
}

/// Tells the agent to end, and waits for it.
async fn end(mut child: Child) -> anyhow::Result<ExitCode> {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::TERM);
    }
    Ok(match ended(child.wait().await?) {
        Ended::Code(code) => code.into(),
        Ended::Signal(_) | Ended::Hung => ExitCode::FAILURE,
    })
}

/// Whether the shutdown came before the pause was over.
async fn pause_or_shutdown(pause: Duration, shutdown: &CancellationToken) -> bool {
    tokio::select! {
        () = sleep(pause) => false,
        () = shutdown.cancelled() => true,
    }
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code.try_into().unwrap_or(1)),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

fn reason(ended: Ended) -> String {
    match ended {
        Ended::Code(code) => format!("it exited with code {code}"),
        Ended::Signal(9) => "it was killed by signal 9; if that was the kernel, for want of memory, raise the container's limit".to_owned(),
        Ended::Signal(signal) => format!("it was killed by signal {signal}"),
        Ended::Hung => "it did not answer for 10 s, and was killed".to_owned(),
    }
}
