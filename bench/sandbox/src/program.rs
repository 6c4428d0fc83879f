//! The sandbox's process, and its resource usage as counted by the kernel.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::Instant;

pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const ISSUER: &str = "https://oidc.example/id/bench";
/// Linux reports CPU time to user space in ticks of 10 ms on every platform.
const TICKS_PER_SECOND: u64 = 100;

const CONFIG: &str = r#"
accounts:
  "111122223333":
    oidcProviders:
      - {url: "https://oidc.example/id/bench", clientIds: [sts.amazonaws.com]}
    roles:
      app:
        arn: arn:aws:iam::111122223333:role/app
        trustPolicy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/bench"}
              Action: sts:AssumeRoleWithWebIdentity
              Condition:
                StringEquals:
                  oidc.example/id/bench:sub: system:serviceaccount:shop:app
                  oidc.example/id/bench:aud: sts.amazonaws.com
"#;

pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    ready: Duration,
    _config: tempfile::NamedTempFile,
}

impl Program {
    /// Starts the sandbox and waits until it prints its address.
    pub(crate) fn start(program: &Path) -> anyhow::Result<Self> {
        let config = tempfile::NamedTempFile::new()?;
        std::fs::write(config.path(), CONFIG)?;
        let started = Instant::now();
        let mut child = Command::new(program)
            .args(["--bind", "127.0.0.1:0", "--issuer-url", ISSUER, "--config"])
            .arg(config.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| {
                format!("could not start {}; build podrole-sandbox first", program.display())
            })?;
        let mut line = String::new();
        let output = child.stdout.take().context("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let ready = started.elapsed();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(": ").next());
        let address = address.context("the sandbox did not start")?.parse()?;
        Ok(Self { child, address, ready, _config: config })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long it took to listen.
    pub(crate) fn ready(&self) -> Duration {
        self.ready
    }

    /// CPU time so far, in user and kernel mode.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let ticks = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// Resident memory in kB.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmRSS")?.parse()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
