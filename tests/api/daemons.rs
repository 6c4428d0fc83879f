//! podrole's own binaries beside the API server, each as its own process on free ports.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail};
use podrole_certs::Authority;
use podrole_runtime::clock::now;
use podrole_tests::{cluster::Cluster, http, process::Process, project, trust, wait};
use serde_json::{Value, json};
use tokio::time::sleep;

pub(crate) const LIFE: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(30);
/// The account and region of every test.
pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";

/// One of our binaries, and where it listens.
pub(crate) struct Daemon {
    pub(crate) address: SocketAddr,
    /// Its metrics and health, where it has some.
    admin: Option<SocketAddr>,
    process: Process,
}

impl Daemon {
    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Where its metrics and health are.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Its process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Whether it has ended of itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.process.has_ended()
    }

    /// The value of a counter without labels.
    pub(crate) async fn counts(&self, name: &str) -> Option<u64> {
        let (_, text) = http::get(self.admin?, "/metrics", None).await.ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// A webhook with a certificate of its own CA.
pub(crate) struct WebhookDaemon {
    pub(crate) daemon: Daemon,
    pub(crate) ca_pem: String,
    /// Where its metrics are.
    pub(crate) admin: SocketAddr,
    /// Where its files are: `tls.crt` and `tls.key`.
    pub(crate) folder: PathBuf,
}

/// Starts `podrole-webhook` against a cluster.
pub(crate) async fn webhook(cluster: &Cluster, flags: &[&str]) -> anyhow::Result<WebhookDaemon> {
    webhook_by(&cluster.kubeconfig(), flags).await
}

/// The same by another kubeconfig.
pub(crate) async fn webhook_by(kubeconfig: &Path, flags: &[&str]) -> anyhow::Result<WebhookDaemon> {
    let webhook = unready_webhook(kubeconfig, flags).await?;
    until_ready(&webhook.daemon).await?;
    Ok(webhook)
}

/// Writes a serving pair for loopback by a CA of its own, and gives that CA.
pub(crate) fn write_pair(folder: &Path) -> anyhow::Result<String> {
    let authority = Authority::mint("test CA", now(), LIFE)?;
    let pair = authority.issue(&["127.0.0.1"], now(), LIFE)?;
    fs::write(folder.join("tls.crt"), pair.certificates_pem())?;
    fs::write(folder.join("tls.key"), pair.key_pem())?;
    Ok(authority.certificate_pem().to_owned())
}

/// Starts `podrole-webhook` with the certificate of the controller's Secret. It is ready once there is one.
pub(crate) async fn own_webhook(
    cluster: &Cluster,
    flags: &[&str],
) -> anyhow::Result<WebhookDaemon> {
    let own = ["--certificates=own", "--tls-name=127.0.0.1"];
    let flags = own.into_iter().chain(flags.iter().copied());
    let folder = folder()?;
    let (daemon, admin) = launch_webhook(&cluster.kubeconfig(), &folder, flags).await?;
    Ok(WebhookDaemon { daemon, ca_pem: String::new(), admin, folder })
}

/// Starts `podrole-webhook controller`.
pub(crate) async fn controller(cluster: &Cluster, flags: &[&str]) -> anyhow::Result<Daemon> {
    let mut command = Command::new(project::binary("podrole-webhook")?);
    command.args(["controller", "--metrics-port=0", "--bind-address=127.0.0.1"]);
    command.arg("--kubeconfig").arg(cluster.kubeconfig()).args(flags);
    let process = Process::start("podrole-controller", &folder()?, &command)?;
    let running = |log: &str| address(&log_line(log, "running the controller")?, "admin");
    let admin = until(&process, running).await?;
    Ok(Daemon { address: admin, admin: Some(admin), process })
}

/// Starts `podrole-webhook` by a kubeconfig, without waiting until it is ready.
pub(crate) async fn unready_webhook(
    kubeconfig: &Path,
    flags: &[&str],
) -> anyhow::Result<WebhookDaemon> {
    let folder = folder()?;
    let ca_pem = write_pair(&folder)?;
    let files = [
        format!("--tls-cert={}", folder.join("tls.crt").display()),
        format!("--tls-key={}", folder.join("tls.key").display()),
    ];
    let files = files.iter().map(String::as_str).chain(flags.iter().copied());
    let (daemon, admin) = launch_webhook(kubeconfig, &folder, files).await?;
    Ok(WebhookDaemon { daemon, ca_pem, admin, folder })
}

async fn launch_webhook(
    kubeconfig: &Path,
    folder: &Path,
    flags: impl Iterator<Item = &str>,
) -> anyhow::Result<(Daemon, SocketAddr)> {
    let mut command = Command::new(project::binary("podrole-webhook")?);
    command.args(["--port=0", "--metrics-port=0", "--bind-address=127.0.0.1"]);
    command.arg("--kubeconfig").arg(kubeconfig);
    command.arg(format!("--aws-default-region={REGION}")).args(flags);
    let process = Process::start("podrole-webhook", folder, &command)?;
    let (address, admin) = until(&process, |log| {
        let line = log_line(log, "listening")?;
        Some((address(&line, "reviews")?, address(&line, "admin")?))
    })
    .await?;
    Ok((Daemon { address, admin: Some(admin), process }, admin))
}

/// Starts `podrole-sandbox` with one account that trusts the cluster's issuer, and one role
/// `shop-app` for the ServiceAccount `subject`.
pub(crate) async fn sandbox(cluster: &Cluster, subject: &str) -> anyhow::Result<Daemon> {
    sandbox_of(&sandbox_config(cluster.issuer(), &cluster.jwks().await?, subject)).await
}

/// Starts `podrole-sandbox` with this file.
pub(crate) async fn sandbox_of(config: &Value) -> anyhow::Result<Daemon> {
    let folder = folder()?;
    // JSON is YAML.
    fs::write(folder.join("sandbox.yaml"), config.to_string())?;
    let mut command = Command::new(project::binary("podrole-sandbox")?);
    command.arg("--config").arg(folder.join("sandbox.yaml")).arg("--bind=127.0.0.1:0");
    let process = Process::start("podrole-sandbox", &folder, &command)?;
    let address = until(&process, |log| {
        let line = log.lines().find(|line| line.starts_with("podrole-sandbox on http://"))?;
        line.strip_prefix("podrole-sandbox on http://")?.split(": ").next()?.parse().ok()
    })
    .await?;
    Ok(Daemon { address, admin: None, process })
}

/// The configuration of [`sandbox`].
pub(crate) fn sandbox_config(issuer: &str, jwks: &Value, subject: &str) -> Value {
    let trust = trust::web_identity(issuer, ACCOUNT, subject);
    let arn = role();
    json!({"accounts": {ACCOUNT: {
        "oidcProviders": [{"url": issuer, "clientIds": ["sts.amazonaws.com"], "jwks": jwks}],
        "roles": {"shop-app": {"arn": arn, "trustPolicy": trust}},
    }}})
}

/// The role that the sandbox knows.
pub(crate) fn role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/shop-app")
}

/// Starts `podrole-agent` against a cluster and a sandbox, as the agent of `node`.
pub(crate) async fn agent(
    cluster: &Cluster,
    sandbox: &Daemon,
    node: &str,
) -> anyhow::Result<Daemon> {
    agent_with(cluster, sandbox, node, &[], &[]).await
}

/// The same with more flags, and with variables of its environment.
pub(crate) async fn agent_with(
    cluster: &Cluster,
    sandbox: &Daemon,
    node: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<Daemon> {
    let agent = start_agent(&cluster.kubeconfig(), sandbox, node, flags, variables).await?;
    until_ready(&agent).await?;
    Ok(agent)
}

/// The same by another kubeconfig, as soon as it serves; it may not be ready for long.
pub(crate) async fn start_agent(
    kubeconfig: &Path,
    sandbox: &Daemon,
    node: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<Daemon> {
    let sts = format!("http://{}", sandbox.address);
    start_agent_at(kubeconfig, &sts, node, flags, variables).await
}

/// The same with any STS.
pub(crate) async fn start_agent_at(
    kubeconfig: &Path,
    sts: &str,
    node: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<Daemon> {
    let command = Command::new(project::binary("podrole-agent")?);
    launch_agent(command, kubeconfig, sts, node, flags, variables).await
}

/// The same as [`start_agent`], under its parent process.
pub(crate) async fn supervised_agent(
    kubeconfig: &Path,
    sandbox: &Daemon,
    node: &str,
) -> anyhow::Result<Daemon> {
    let health_socket = format!("--health-socket={}", folder()?.join("health.sock").display());
    let mut command = Command::new(project::binary("podrole-node")?);
    command.args(["run", "--bind-hosts=127.0.0.1", "--port=0", &health_socket, "--"]);
    command.arg(project::binary("podrole-agent")?);
    let sts = format!("http://{}", sandbox.address);
    launch_agent(command, kubeconfig, &sts, node, &[&health_socket], &[]).await
}

/// `command` is the agent's, or ends with it.
async fn launch_agent(
    mut command: Command,
    kubeconfig: &Path,
    sts: &str,
    node: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<Daemon> {
    let folder = folder()?;
    command.args(flags).envs(variables.iter().copied());
    command.args(["--bind-hosts=127.0.0.1", "--port=0"]);
    command.args(["--metrics-address=127.0.0.1", "--metrics-port=0"]);
    command.arg(format!("--region={REGION}")).arg(format!("--node-name={node}"));
    command.arg(format!("--sts-endpoint-url={sts}"));
    command.arg("--kubeconfig").arg(kubeconfig);
    let process = Process::start("podrole-agent", &folder, &command)?;
    let (address, admin) = until(&process, |log| {
        let credentials = log_line(log, "serving credentials")?;
        let admin = log_line(log, "serving metrics and health")?;
        Some((address(&credentials, "address")?, address(&admin, "address")?))
    })
    .await?;
    Ok(Daemon { address, admin: Some(admin), process })
}

pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    // The process's guardian removes it: it outlives us.
    Ok(tempfile::Builder::new().prefix("podrole-test-").tempdir()?.keep())
}

pub(crate) async fn until<T>(
    process: &Process,
    found: impl Fn(&str) -> Option<T>,
) -> anyhow::Result<T> {
    let mut waited = Duration::ZERO;
    while waited < PATIENCE {
        if let Some(found) = found(&process.log()) {
            return Ok(found);
        }
        if process.has_ended() {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        waited += Duration::from_millis(50);
    }
    bail!("it did not start: {}", process.log())
}

fn log_line(log: &str, message: &str) -> Option<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.into_iter().find(|line| line["message"] == message)
}

fn address(line: &Value, field: &str) -> Option<SocketAddr> {
    line[field].as_str()?.parse().ok()
}

/// Waits until it says that it is ready.
/// The status and the body of its `/readyz`.
pub(crate) async fn readiness(daemon: &Daemon) -> anyhow::Result<(u16, String)> {
    http::get(daemon.admin.context("it has no /readyz")?, "/readyz", None).await
}

pub(crate) async fn until_ready(daemon: &Daemon) -> anyhow::Result<()> {
    let ready = async || Ok(readiness(daemon).await?.0 == 200);
    wait::until("readiness", PATIENCE, ready).await.with_context(|| daemon.log())
}

/// The words that `program` prints with `variables` and nothing else in its environment.
pub(crate) async fn output(
    program: &Path,
    arguments: &[&str],
    variables: &[(String, String)],
) -> anyhow::Result<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env_clear().envs(variables.iter().cloned()).kill_on_drop(true);
    let output = command.output().await.with_context(|| program.display().to_string())?;
    let stdout = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}: {stdout} {stderr}", program.display());
    Ok(stdout)
}
