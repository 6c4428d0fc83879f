//! One agent's process, its channel, and what it leaves behind.

use std::{
    ffi::OsString,
    fs, io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt as _},
    process::ExitStatus,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;
use rustix::{
    net::{
        Shutdown, shutdown,
        sockopt::{Timeout, set_socket_timeout},
    },
    process::{Pid, Signal, WaitOptions, getpid, kill_process, wait},
};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    time::timeout,
};

use super::{held_sockets::HeldSockets, restarts::Ended};
use crate::channel::{Reply, pair};

/// For an agent that asks and does not read the answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an agent may take to end: the kubelet gives the container 30 s.
const DRAIN: Duration = Duration::from_secs(25);
/// How often, for a second in all, the processes that an agent leaves behind are killed.
const ROUNDS: u32 = 50;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(20);

/// A running agent.
pub(super) struct Agent {
    process: Child,
    /// The parent's end of the channel.
    channel: OwnedFd,
    thread: JoinHandle<()>,
}

impl Agent {
    /// Starts an agent whose standard input is the channel.
    pub(super) fn start(
        command: &[OsString],
        held: &Arc<HeldSockets>,
        reply: Reply,
    ) -> anyhow::Result<Self> {
        let (program, flags) = command.split_first().context("no command to run")?;
        let (ours, theirs) = pair().context("could not make a channel to the agent")?;
        set_socket_timeout(&ours, Timeout::Send, Some(SEND_TIMEOUT)).context("channel")?;
        let channel = ours.try_clone().context("channel")?;
        let (held, runtime) = (Arc::clone(held), Handle::current());
        let serve = move || {
            let _entered = runtime.enter();
            held.serve(&ours, &reply);
        };
        let mut command = Command::new(program);
        // A group of its own: a terminal's or a service manager's signal to the group comes by this process only.
        command.args(flags).arg("--supervised").stdin(theirs).process_group(0).kill_on_drop(true);
        let process = command.spawn();
        let process = process.with_context(|| format!("could not start {}", program.display()))?;
        let thread = thread::Builder::new().name("channel".to_owned()).spawn(serve);
        Ok(Self { process, channel, thread: thread.context("could not start a thread")? })
    }

    /// Waits until it ends.
    pub(super) async fn ended(&mut self) -> io::Result<Ended> {
        Ok(ended(self.process.wait().await?))
    }

    pub(super) async fn kill(&mut self) -> io::Result<()> {
        self.process.kill().await
    }

    /// Tells it to end, and waits for it.
    pub(super) async fn terminate(&mut self) -> io::Result<Ended> {
        if let Some(pid) = self.process.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::TERM);
        }
        if let Ok(ended) = timeout(DRAIN, self.ended()).await {
            return ended;
        }
        tracing::error!("the agent has not ended in 25 s; killing it");
        self.kill().await?;
        Ok(Ended::Hung)
    }

    /// After its end: no process that it left behind may use its channel, or, in a container, its sockets.
    pub(super) fn clean_up(self) {
        // The thread's call returns, even if another process has the other end too.
        let _ = shutdown(&self.channel, Shutdown::Both);
        let _ = self.thread.join();
        if getpid().is_init() {
            kill_orphans();
        }
    }
}

/// Ends the processes that lost their parent and became children of this one, the first of its container. `kubectl debug`
/// starts processes that are none of its children.
///
/// Again and again, because a process that is killed leaves its own children to this one.
fn kill_orphans() {
    for _ in 0..ROUNDS {
        kill_children();
        // Nothing else waits for children now.
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        thread::sleep(BETWEEN_ROUNDS);
    }
    tracing::error!("could not end all processes that the agent left behind; continuing");
}

fn kill_children() {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        if let Some(pid) = pid.and_then(Pid::from_raw)
            && parent(&stat) == Some("1")
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// The parent's number in `/proc/PID/stat`: the second field after the name, which may contain anything.
fn parent(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code.try_into().unwrap_or(1)),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_process_is_read_whatever_its_name() {
        assert_eq!(parent("12 (sh) S 1 12 12 0 -1"), Some("1"));
        assert_eq!(parent("12 (a) S 1 (b) Z 345 12"), Some("345"));
        assert_eq!(parent(""), None);
    }

    /// A process that asks and does not read, and one that outlives the agent, keep nothing from ending.
    #[tokio::test]
    async fn an_agent_that_leaves_a_process_behind_is_cleaned_up() {
        let held = Arc::new(HeldSockets::new(Vec::new()));
        // A shell gives its background processes /dev/null as standard input, so the channel has another number.
        let script = "exec 3<&0; sleep 60 >/dev/null 2>&1 & exit 3";
        let command = ["sh", "-c", script].map(OsString::from);
        let mut agent = Agent::start(&command, &held, Reply::default()).unwrap();
        assert_eq!(agent.ended().await.unwrap(), Ended::Code(3));
        let begun = tokio::time::Instant::now();
        agent.clean_up();
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn an_agent_ends_at_sigterm() {
        let held = Arc::new(HeldSockets::new(Vec::new()));
        // The shell ignores the flag --supervised.
        let command = ["sh", "-c", "exec sleep 60"].map(OsString::from);
        let mut agent = Agent::start(&command, &held, Reply::default()).unwrap();
        assert_eq!(agent.terminate().await.unwrap(), Ended::Signal(15));
        agent.clean_up();
    }
}
