//! The webhook's process, and its resource usage as counted by the kernel.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use podrole_certs::Authority;
use podrole_runtime::clock::now;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::sleep};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::api_server::ApiServer;

const DAY: Duration = Duration::from_secs(86_400);
/// Linux reports CPU time to user space in ticks of 10 ms on every platform.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
    _files: TempDir,
}

impl Program {
    /// Starts the webhook. It may not be ready yet.
    pub(crate) fn start(
        binary: &Path,
        flags: &[String],
        api_server: &ApiServer,
    ) -> anyhow::Result<Self> {
        let files = tempfile::tempdir()?;
        let authority = Authority::mint("bench CA", now(), DAY)?;
        let pair = authority.issue(&["127.0.0.1"], now(), DAY)?;
        let (certificate, key) = (files.path().join("tls.crt"), files.path().join("tls.key"));
        fs::write(&certificate, pair.certificates_pem())?;
        fs::write(&key, pair.key_pem())?;
        let (port, metrics) = (free_port()?, free_port()?);
        let child = Command::new(binary)
            .arg(format!("--port={port}"))
            .arg(format!("--metrics-port={metrics}"))
            .arg(format!("--kube-api={}", api_server.url))
            .arg(format!("--tls-cert={}", certificate.display()))
            .arg(format!("--tls-key={}", key.display()))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| {
                format!("could not start {}; build it first, or give its path", binary.display())
            })?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let tls = client(authority.certificate_pem())?;
        Ok(Self { child, address, tls, _files: files })
    }

    /// Fails if the process has exited.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        anyhow::ensure!(ended.is_none(), "the webhook exited: {ended:?}");
        Ok(())
    }

    /// CPU time so far, in user and kernel mode.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The program name, before the last bracket, may contain spaces.
        let fields = stat.rsplit_once(") ").context("stat")?.1;
        let ticks = |index| fields.split(' ').nth(index).and_then(|ticks| ticks.parse().ok());
        let (user, system): (u32, u32) = (ticks(11).context("utime")?, ticks(12).context("stime")?);
        Ok(TICK * (user + system))
    }

    /// Resident memory and its peak in MB, once it has not changed by more than 1 % for five
    /// seconds, or after a minute.
    pub(crate) async fn settled_memory(&self) -> anyhow::Result<(f64, f64)> {
        let (mut last, mut quiet) = (self.memory()?, 0);
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            let now = self.memory()?;
            let changed = now.0.abs_diff(last.0) > last.0 / 100;
            (last, quiet) = (now, if changed { 0 } else { quiet + 1 });
            if quiet == 5 {
                break;
            }
        }
        let megabytes = |kilobytes: u32| (f64::from(kilobytes) / 1024.0).round();
        Ok((megabytes(last.0), megabytes(last.1)))
    }

    /// The peak of resident memory in MB.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<f64> {
        Ok((f64::from(self.memory()?.1) / 1024.0).round())
    }

    /// A TLS connection with this protocol.
    pub(crate) async fn connect(
        &self,
        protocol: &'static [u8],
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(tls));
        Ok(connector.connect(ServerName::try_from("127.0.0.1")?, stream).await?)
    }

    /// Current and peak resident memory in kB.
    fn memory(&self) -> anyhow::Result<(u32, u32)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let read = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.trim().parse().ok()
        };
        Ok((read("VmRSS:").context("VmRSS")?, read("VmHWM:").context("VmHWM")?))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?.local_addr()?.port())
}

fn client(ca: &str) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}
