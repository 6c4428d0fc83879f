//! The processes that are measured: started, asked for processor time and memory, ended.

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

use crate::{Args, exchange::Exchange, world::World};

/// A server in a process of its own. It is killed when this goes.
pub(crate) struct Target {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Target {
    /// An agent with nothing in memory.
    pub(crate) async fn agent(
        args: &Args,
        world: &World,
        exchange: Exchange,
    ) -> anyhow::Result<Self> {
        let (address, others) = (free()?, [free()?.port(), free()?.port()]);
        let command = exchange.command(args, world, address, others);
        let target = Self::start(command, address).await;
        target.with_context(|| format!("{} (cargo build --release?)", args.agent.display()))
    }

    /// The same bytes from a bare server.
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
        bail!("it does not listen on {address}")
    }

    fn read(&self, what: &str) -> anyhow::Result<String> {
        let pid = self.child.id().context("it has ended")?;
        Ok(fs::read_to_string(format!("/proc/{pid}/{what}"))?)
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        let (_, fields) = stat.rsplit_once(')').context("stat")?;
        let field = |at: usize| fields.split_whitespace().nth(at).and_then(|it| it.parse().ok());
        // Hundredths of a second, on every Linux.
        let (user, system): (u64, u64) = (field(11).context("utime")?, field(12).context("stime")?);
        Ok(Duration::from_millis((user + system) * 10))
    }

    /// Memory in use, in MB; and how much of it is the program's own file.
    pub(crate) fn rss(&self) -> anyhow::Result<String> {
        let status = self.read("status")?;
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches("kB").trim().parse().ok()
        };
        let all: f64 = line("VmRSS:").context("VmRSS")?;
        let file: f64 = line("RssFile:").context("RssFile")?;
        Ok(format!("{:.1} MB ({:.1} MB of it the program)", all / 1024.0, file / 1024.0))
    }
}

/// A port that is free just now.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
