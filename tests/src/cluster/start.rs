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

use super::{Cluster, ISSUER, Shared, files};
use crate::{process::Process, project};

/// How long an API server may take; 7 s is usual, and a loaded machine takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// A free port may be taken by another before the server takes it.
const TRIES: usize = 3;

/// The keys of an API server.
#[derive(Default)]
struct TokenKeys {
    /// The private key that signs tokens; without one, a new one of its own.
    signing: Option<PathBuf>,
    /// Public keys that verify tokens, beside a new one of its own.
    verifying: Vec<PathBuf>,
}

/// Starts etcd and kube-apiserver in a new folder, and waits until the API is ready.
pub(super) async fn start(issuer: &str) -> anyhow::Result<Cluster> {
    let binaries = binaries()?;
    ready_one(|| first(&binaries, issuer)).await
}

/// Starts another kube-apiserver on the same etcd, and waits until it is ready.
pub(super) async fn successor(former: &Cluster, issuer: &str) -> anyhow::Result<Cluster> {
    let binaries = binaries()?;
    ready_one(|| second(&binaries, former, issuer)).await
}

/// Starts another kube-apiserver on the same etcd with these keys, and waits until it is ready.
pub(super) async fn sibling(
    first: &Cluster,
    signing: &Cluster,
    verifying: &[&Cluster],
) -> anyhow::Result<Cluster> {
    let binaries = binaries()?;
    ready_one(|| with_keys(&binaries, first, signing, verifying)).await
}

async fn ready_one(launch: impl Fn() -> anyhow::Result<Cluster>) -> anyhow::Result<Cluster> {
    let mut tries = 1;
    loop {
        let cluster = launch()?;
        let Err(error) = until_ready(&cluster).await else {
            return Ok(cluster);
        };
        if tries < TRIES && cluster.lost_a_port() {
            tries += 1;
            continue;
        }
        cluster.keep_logs();
        return Err(error);
    }
}

/// `$PODROLE_KUBERNETES_BIN`, else what `tests/kubernetes/build` finds or builds.
fn binaries() -> anyhow::Result<PathBuf> {
    match env::var_os("PODROLE_KUBERNETES_BIN") {
        Some(folder) => Ok(folder.into()),
        None => project::folder_from("tests/kubernetes/build"),
    }
}

fn first(binaries: &Path, issuer: &str) -> anyhow::Result<Cluster> {
    let folder = folder()?;
    let [client, peer, port] = free_ports()?;
    let etcd_url = local("http", client);
    let etcd = etcd(binaries, &folder, &etcd_url, &local("http", peer));
    let etcd = Process::start("etcd", &folder, &etcd)?;
    let shared = Shared { etcd_url, first: folder.clone(), admin: files::random_token()? };
    files::write_user(&folder, &shared.admin)?;
    api(binaries, folder, port, shared, &[issuer.to_owned()], &TokenKeys::default(), Some(etcd))
}

fn second(binaries: &Path, former: &Cluster, issuer: &str) -> anyhow::Result<Cluster> {
    let [port] = free_ports()?;
    let mut issuers = vec![issuer.to_owned()];
    issuers.extend((former.issuer() != issuer).then(|| former.issuer().to_owned()));
    let verifying = vec![former.folder.join(files::VERIFYING_KEY)];
    let keys = TokenKeys { signing: None, verifying };
    api(binaries, folder()?, port, former.shared.clone(), &issuers, &keys, None)
}

fn with_keys(
    binaries: &Path,
    first: &Cluster,
    signing: &Cluster,
    verifying: &[&Cluster],
) -> anyhow::Result<Cluster> {
    let [port] = free_ports()?;
    let verifying = verifying.iter().map(|it| it.folder.join(files::VERIFYING_KEY)).collect();
    let keys = TokenKeys { signing: Some(signing.folder.join(files::SIGNING_KEY)), verifying };
    let issuers = [first.issuer().to_owned()];
    api(binaries, folder()?, port, first.shared.clone(), &issuers, &keys, None)
}

/// The processes' guardians remove it: they outlive us.
fn folder() -> anyhow::Result<PathBuf> {
    Ok(tempfile::Builder::new().prefix("podrole-cluster-").tempdir()?.keep())
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

/// Starts the API server. It makes tokens of the first issuer, and takes those of all issuers and keys.
fn api(
    binaries: &Path,
    folder: PathBuf,
    port: u16,
    shared: Shared,
    issuers: &[String],
    keys: &TokenKeys,
    etcd: Option<Process>,
) -> anyhow::Result<Cluster> {
    files::write_keys(&folder)?;
    let url = local("https", port);
    let command = api_command(binaries, &folder, port, &shared, issuers, keys);
    let api = Process::start("kube-apiserver", &folder, &command)?;
    let issuer = issuers.first().cloned().unwrap_or_default();
    let cluster = Cluster { api, etcd, folder, url, issuer, shared };
    let (file, ca) = (cluster.kubeconfig(), cluster.ca_file());
    files::write_kubeconfig(&file, &cluster.url, &ca, &cluster.shared.admin)?;
    Ok(cluster)
}

/// Admission plugins are the defaults, as in a cluster with default settings.
fn api_command(
    binaries: &Path,
    folder: &Path,
    port: u16,
    shared: &Shared,
    issuers: &[String],
    keys: &TokenKeys,
) -> Command {
    let mut api = Command::new(binaries.join("kube-apiserver"));
    api.args(["--etcd-servers", &shared.etcd_url])
        .args(["--bind-address", "127.0.0.1"])
        .args(["--secure-port", &port.to_string()])
        .args(["--service-cluster-ip-range", "10.250.0.0/16"])
        .args(["--authorization-mode", "RBAC"])
        .args(["--endpoint-reconciler-type", "none"]) // no client finds it through a Service
        .arg("--allow-privileged=true");
    for issuer in issuers {
        api.args(["--service-account-issuer", issuer]);
    }
    // As a cluster whose keys AWS reads; the default issuer is left with Kubernetes's default.
    if let Some(issuer) = issuers.first().filter(|issuer| *issuer != ISSUER) {
        api.arg(format!("--service-account-jwks-uri={issuer}/openid/v1/jwks"));
    }
    let own = keys.signing.is_none().then(|| folder.join(files::VERIFYING_KEY));
    for key in keys.verifying.iter().chain(&own) {
        api.arg("--service-account-key-file").arg(key);
    }
    let signing = keys.signing.clone().unwrap_or_else(|| folder.join(files::SIGNING_KEY));
    api.arg("--service-account-signing-key-file").arg(signing);
    api.arg("--cert-dir").arg(shared.first.join(files::CERTIFICATES));
    api.arg("--token-auth-file").arg(shared.first.join(files::TOKENS));
    api
}

async fn until_ready(cluster: &Cluster) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let error = match ready(cluster).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if let Some((name, process)) = cluster.processes().find(|(_, it)| it.has_ended()) {
            bail!("{name} ended early: {}", last_line(&process.log()));
        }
        if Instant::now() > deadline {
            return Err(error).context(format!("the API server was not ready in {PATIENCE:?}"));
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
    fn processes(&self) -> impl Iterator<Item = (&str, &Process)> {
        let etcd = self.etcd.iter().map(|etcd| ("etcd", etcd));
        etcd.chain([("kube-apiserver", &self.api)])
    }

    fn lost_a_port(&self) -> bool {
        self.processes().any(|(_, process)| process.log().contains("address already in use"))
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
