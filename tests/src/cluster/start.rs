//! From nothing to `/readyz`.

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep};

use super::{Cluster, files};
use crate::{process::Process, project};

/// How long an API server may take; 7 s is usual, and a loaded machine takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// A free port may be taken by another before the server takes it.
const TRIES: usize = 3;

/// Starts etcd and kube-apiserver in a new folder, and waits until the API is ready.
pub(super) async fn start(issuer: &str) -> anyhow::Result<Cluster> {
    let binaries = binaries()?;
    let mut tries = 1;
    loop {
        let cluster = launch(&binaries, issuer)?;
        let Err(fault) = until_ready(&cluster).await else {
            return Ok(cluster);
        };
        if tries < TRIES && cluster.lost_a_port() {
            tries += 1;
            continue;
        }
        cluster.keep_logs();
        return Err(fault);
    }
}

/// `$PODROLE_KUBERNETES_BIN`, else what `tests/kubernetes/build` finds or builds.
fn binaries() -> anyhow::Result<PathBuf> {
    match env::var_os("PODROLE_KUBERNETES_BIN") {
        Some(folder) => Ok(folder.into()),
        None => project::folder_from("tests/kubernetes/build"),
    }
}

fn launch(binaries: &Path, issuer: &str) -> anyhow::Result<Cluster> {
    let folder = tempfile::Builder::new().prefix("podrole-cluster-").tempdir()?.keep(); // the processes' guardians remove it: they outlive us
    let [client, peer, port] = free_ports()?;
    let (etcd_url, url) = (local("http", client), local("https", port));
    let token = files::random_token()?;
    files::write_keys(&folder, &token)?;
    let api = api(binaries, &folder, &etcd_url, port, issuer);
    let etcd = etcd(binaries, &folder, &etcd_url, &local("http", peer));
    let etcd = Process::start("etcd", &folder, &etcd)?;
    let cluster = Cluster {
        api: Process::start("kube-apiserver", &folder, &api)?,
        etcd,
        folder,
        url,
        issuer: issuer.to_owned(),
    };
    let (file, ca) = (cluster.kubeconfig(), cluster.ca_file());
    files::write_kubeconfig(&file, &cluster.url, &ca, &token)?;
    Ok(cluster)
}

fn etcd(binaries: &Path, folder: &Path, url: &str, peers: &str) -> Command {
    let mut etcd = Command::new(binaries.join("etcd"));
    etcd.arg("--data-dir").arg(folder.join("etcd"));
    etcd.args(["--listen-client-urls", url])
        .args(["--advertise-client-urls", url])
        .args(["--listen-peer-urls", peers])
        .args(["--unsafe-no-fsync", "--log-level", "error"]);
    etcd
}

/// Admission plugins are the defaults, as in a cluster that nobody has tuned.
fn api(binaries: &Path, folder: &Path, etcd: &str, port: u16, issuer: &str) -> Command {
    let mut api = Command::new(binaries.join("kube-apiserver"));
    api.args(["--etcd-servers", etcd])
        .args(["--bind-address", "127.0.0.1"])
        .args(["--secure-port", &port.to_string()])
        .args(["--service-account-issuer", issuer])
        .args(["--service-cluster-ip-range", "10.250.0.0/16"])
        .args(["--authorization-mode", "RBAC"])
        .args(["--endpoint-reconciler-type", "none"]) // nobody looks it up through a Service
        .arg("--allow-privileged=true");
    for (flag, name) in [
        ("--cert-dir", "certs"),
        ("--service-account-key-file", files::VERIFYING_KEY),
        ("--service-account-signing-key-file", files::SIGNING_KEY),
        ("--token-auth-file", files::TOKENS),
    ] {
        api.arg(flag).arg(folder.join(name));
    }
    api
}

async fn until_ready(cluster: &Cluster) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let fault = match ready(cluster).await {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        for (name, process) in [("etcd", &cluster.etcd), ("kube-apiserver", &cluster.api)] {
            if process.has_ended() {
                bail!("{name} ended early: {}", last_line(&process.log()));
            }
        }
        if Instant::now() > deadline {
            return Err(fault).context(format!("the API server was not ready in {PATIENCE:?}"));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Ready, and past its own start: the namespace `default` is made last.
async fn ready(cluster: &Cluster) -> anyhow::Result<()> {
    let client = cluster.client().await?;
    for path in ["/readyz", "/api/v1/namespaces/default"] {
        let request = http::Request::get(path).body(Vec::new())?;
        client.request_text(request).await?;
    }
    Ok(())
}

impl Cluster {
    fn lost_a_port(&self) -> bool {
        [&self.etcd, &self.api]
            .iter()
            .any(|process| process.log().contains("address already in use"))
    }
}

fn last_line(log: &str) -> &str {
    log.trim_end().lines().last().unwrap_or("it said nothing")
}

fn local(scheme: &str, port: u16) -> String {
    format!("{scheme}://127.0.0.1:{port}")
}

fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener); // so that the next is another
    }
    Ok(ports)
}
