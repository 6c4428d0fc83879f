//! The processes that are measured: started, asked for processor time and memory, ended.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::sleep,
};

use crate::world::World;

/// A server in a process of its own. It is killed when this goes.
pub(crate) struct Target {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Target {
    /// An agent with nothing in memory.
    pub(crate) async fn agent(
        binary: &Path,
        world: &World,
        more: &[String],
    ) -> anyhow::Result<Self> {
        let address = free()?;
        let mut command = Command::new(binary);
        command
            .args(["--bind-hosts=127.0.0.1", "--metrics-address=127.0.0.1", "--metrics-port=0"])
            .args(["--pod-liveness=off", "--keys-from=issuer", "--region=eu-west-1"])
            .args(["--pod-requests-per-second=0", "--connections-per-peer=0"])
            .args(["--max-cache-size=100000", "--log=warn"])
            .arg(format!("--port={}", address.port()))
            .arg(format!("--issuer={}", world.url))
            .arg(format!("--sts-endpoint-url={}", world.url))
            .arg("--kubeconfig")
            .arg(world.kubeconfig())
            .args(more);
        let target = Self::start(command, address).await;
        target.with_context(|| format!("{} (cargo build --release?)", binary.display()))
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
        for _ in 0..200 {
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

    /// Memory in use, in MB.
    pub(crate) fn rss(&self) -> anyhow::Result<f64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kilobytes: f64 = line.trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes / 1024.0)
    }
}

/// A port that is free just now.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
