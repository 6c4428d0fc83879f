//! The measured processes: starts them, reads their CPU time and memory, stops them.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::sleep,
};

use crate::{
    Args,
    exchange::{Exchange, PodWatch},
    world::World,
};

/// A server in its own process. Dropping it kills the process.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl ServerProcess {
    /// Starts an agent with an empty cache.
    pub(crate) async fn agent(
        args: &Args,
        world: &World,
        exchange: Exchange,
        pods: PodWatch,
    ) -> anyhow::Result<Self> {
        let (address, others) = (free()?, [free()?.port(), free()?.port()]);
        let command = exchange.command(args, world, address, others, pods);
        let target = Self::start(command, address).await;
        target.with_context(|| {
            let agent = args.agent.display();
            format!("could not start {agent}; build it with cargo build --release")
        })
    }

    /// Starts a bare server with the same response.
    pub(crate) async fn bare() -> anyhow::Result<Self> {
        let address = free()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--bare").env("PODROLE_BENCH_BARE", address.to_string());
        Self::start(command, address).await
    }

    async fn start(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let child = command.kill_on_drop(true).spawn()?;
        for _ in 0..1200 {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(Self { child, address });
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the process does not listen on {address} after 60 s")
    }

    fn read(&self, what: &str) -> anyhow::Result<String> {
        let pid = self.child.id().context("the process has exited")?;
        Ok(fs::read_to_string(format!("/proc/{pid}/{what}"))?)
    }

    /// CPU time so far, in user and kernel mode.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        let (_, fields) = stat.rsplit_once(')').context("stat")?;
        let field = |at: usize| fields.split_whitespace().nth(at).and_then(|it| it.parse().ok());
        // Linux reports ticks of 10 ms to user space on every platform.
        let (user, system): (u64, u64) = (field(11).context("utime")?, field(12).context("stime")?);
        Ok(Duration::from_millis((user + system) * 10))
    }

    /// Resident memory in MB, and how much of it is mapped from files.
    pub(crate) fn rss(&self) -> anyhow::Result<String> {
        let status = self.read("status")?;
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches("kB").trim().parse().ok()
        };
        let all: f64 = line("VmRSS:").context("VmRSS")?;
        let file: f64 = line("RssFile:").context("RssFile")?;
        Ok(format!("{:.1} MB ({:.1} MB of it file-backed)", all / 1024.0, file / 1024.0))
    }
}

/// A free port. Another process could take it before the server binds it.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
