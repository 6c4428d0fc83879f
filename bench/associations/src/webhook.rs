//! The webhook's program, with the flags of the chart.

use std::{fmt, fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, bail};
use podrole_certs::Authority;
use podrole_runtime::clock::now;
use podrole_tests::{http, process::Process};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{api_server::ApiServer, reviews::Reviewer};

const DAY: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(120);
/// What decides which role a ServiceAccount gets; the agents get the same.
pub(crate) const GRANT_FLAGS: [&str; 7] = [
    "--exchange=assume-role",
    "--region=eu-west-1",
    "--credentials=container",
    "--annotation-prefix=eks.amazonaws.com",
    "--cluster-name=shop",
    "--cluster-arn=arn:aws:eks:eu-west-1:111122223333:cluster/shop",
    "--association-objects",
];

pub(crate) struct Webhook {
    process: Process,
    address: SocketAddr,
    ca: String,
    pub(crate) ready_after: Duration,
}

/// Resident memory of a process in kB, now and at most.
pub(crate) struct ProcessMemory {
    now: u32,
    peak: u32,
}

impl Webhook {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(program: &Path, server: &ApiServer) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("podrole-bench-").tempdir()?.keep();
        let authority = Authority::mint("bench CA", now(), DAY)?;
        let pair = authority.issue(&["127.0.0.1"], now(), DAY)?;
        let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
        fs::write(&certificate, pair.certificates_pem())?;
        fs::write(&key, pair.key_pem())?;
        let mut command = Command::new(program);
        command.args(["--port=0", "--metrics-port=0", "--bind-address=127.0.0.1"]);
        command.args(["--certificates=files", "--log=info", "--log-format=json"]);
        command.arg(format!("--tls-cert={}", certificate.display()));
        command.arg(format!("--tls-key={}", key.display()));
        command.arg("--container-credentials-full-uri=http://169.254.170.23/v1/credentials");
        command.args(GRANT_FLAGS).arg("--kubeconfig").arg(server.cluster.kubeconfig());
        let begun = Instant::now();
        let process = Process::start("podrole-webhook", &folder, &command)?;
        let ca = authority.certificate_pem().to_owned();
        loop {
            if let Some((address, admin)) = addresses(&process.log())
                && matches!(http::get(admin, "/readyz", None).await, Ok((200, _)))
            {
                return Ok(Self { process, address, ca, ready_after: begun.elapsed() });
            }
            if process.has_ended() || begun.elapsed() > PATIENCE {
                bail!("the webhook is not ready; build a release first: {}", process.log());
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// A connection for reviews.
    pub(crate) async fn connect(&self) -> anyhow::Result<Reviewer> {
        Reviewer::connect(self.address, &self.ca).await
    }

    pub(crate) fn memory(&self) -> anyhow::Result<ProcessMemory> {
        memory(&self.process)
    }
}

/// What the process uses.
pub(crate) fn memory(process: &Process) -> anyhow::Result<ProcessMemory> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid()?))?;
    let read = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    Ok(ProcessMemory {
        now: read("VmRSS:").context("VmRSS")?,
        peak: read("VmHWM:").context("VmHWM")?,
    })
}

impl fmt::Display for ProcessMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [now, peak] = [self.now, self.peak].map(|it| f64::from(it) / 1024.0);
        write!(f, "{now:.1} MiB, at most {peak:.1} MiB so far")
    }
}

/// Where it takes reviews, and where its health is.
fn addresses(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["message"] == "listening")?;
    let address = |field: &str| line[field].as_str()?.parse().ok();
    Some((address("reviews")?, address("admin")?))
}
