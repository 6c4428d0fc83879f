//! The webhook with the flags that the chart gives it, at a port of this machine.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use anyhow::Context as _;
use podrole_certs::Authority;
use podrole_runtime::clock::now;
use podrole_tests::{cluster::Cluster, namespace::TestNamespace, process::Process, project, wait};
use serde_json::Value;

use crate::{helm, objects};

const PATIENCE: Duration = Duration::from_secs(30);
const CONFIGURATION: &str = "manifests/webhook-configuration.yaml";

pub(super) struct Webhook {
    process: Process,
    ca_pem: String,
}

impl Webhook {
    /// Starts it with the flags of its Deployment.
    pub(super) fn start(cluster: &Cluster, set: &[&str]) -> anyhow::Result<Self> {
        let folder: PathBuf = tempfile::Builder::new().prefix("podrole-test-").tempdir()?.keep();
        let life = Duration::from_secs(86_400);
        let authority = Authority::mint("test CA", now(), life)?;
        let pair = authority.issue(&["127.0.0.1"], now(), life)?;
        fs::write(folder.join("tls.crt"), pair.certificates_pem())?;
        fs::write(folder.join("tls.key"), pair.key_pem())?;
        let rendered = objects::read(&helm::template(set)?)?;
        let deployment = objects::find(&rendered, "Deployment", "podrole-webhook")?;
        let flags = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        // The kinds are not installed yet, and no pod here has an association.
        let other = ["--port=", "--metrics-port=", "--certificates=", "--association-objects"];
        let flags = flags.as_array().into_iter().flatten().filter_map(Value::as_str);
        let flags = flags.filter(|flag| !other.iter().any(|other| flag.starts_with(other)));
        let mut command = Command::new(project::binary("podrole-webhook")?);
        command.args(flags).args(["--port=0", "--metrics-port=0", "--bind-address=127.0.0.1"]);
        command.arg("--kubeconfig").arg(cluster.kubeconfig());
        command.arg("--tls-cert").arg(folder.join("tls.crt"));
        command.arg("--tls-key").arg(folder.join("tls.key"));
        let process = Process::start("podrole-webhook", &folder, &command)?;
        Ok(Self { process, ca_pem: authority.certificate_pem().to_owned() })
    }

    fn address(&self) -> Option<SocketAddr> {
        let log = self.process.log();
        let line = log.lines().find(|line| line.contains("\"listening\""))?;
        let line: Value = serde_json::from_str(line).ok()?;
        let address = line["reviews"].as_str().or(line["fields"]["reviews"].as_str())?;
        address.parse().ok()
    }

    /// Has the API server call it for pods of this namespace. Returns the name of the configuration.
    pub(super) async fn register(&self, namespace: &TestNamespace<'_>) -> anyhow::Result<String> {
        let listening = async || Ok(self.address().is_some());
        wait::until("the port", PATIENCE, listening).await.with_context(|| self.process.log())?;
        let address = self.address().context("no port")?;
        let yaml = fs::read_to_string(project::root().join(CONFIGURATION))?;
        let base = format!("https://{address}");
        let configuration =
            namespace.register_webhook(&yaml, &base, self.ca_pem.as_bytes()).await?;
        configuration.metadata.name.context("no name")
    }

    pub(super) fn log(&self) -> String {
        self.process.log()
    }
}
