//! podrole-webhook as its own process.

use std::{fs, net::SocketAddr, process::Command, sync::Arc, time::Duration};

use anyhow::Context as _;
use podrole_certs::Authority;
use podrole_runtime::{clock::now, crypto};
use podrole_tests::{http, process::Process, project, wait};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::Value;

use crate::api_server::ApiServer;

const DAY: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Program {
    /// Where reviews are answered.
    pub(crate) reviews: SocketAddr,
    /// Where probes and metrics are.
    pub(crate) admin: SocketAddr,
    pub(crate) process: Process,
    roots: Arc<RootCertStore>,
    _api_server: ApiServer,
}

impl Program {
    /// Starts the webhook and waits until it is ready.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::with(&[]).await
    }

    /// The same with more flags.
    pub(crate) async fn with(flags: &[&str]) -> anyhow::Result<Self> {
        crypto::install();
        let api_server = ApiServer::start().await?;
        // The process's guardian removes it.
        let folder = tempfile::Builder::new().prefix("podrole-test-").tempdir()?.keep();
        let authority = Authority::mint("test CA", now(), DAY)?;
        let pair = authority.issue(&["127.0.0.1"], now(), DAY)?;
        fs::write(folder.join("tls.crt"), pair.certificates_pem())?;
        fs::write(folder.join("tls.key"), pair.key_pem())?;
        let mut command = Command::new(project::binary("podrole-webhook")?);
        command.args(["--port=0", "--metrics-port=0", "--bind-address=127.0.0.1"]);
        command.arg("--log=warn,podrole_webhook::run=info");
        command.arg(format!("--kube-api={}", api_server.url));
        command.arg(format!("--tls-cert={}", folder.join("tls.crt").display()));
        command.arg(format!("--tls-key={}", folder.join("tls.key").display()));
        command.args(flags);
        let process = Process::start("podrole-webhook", &folder, &command)?;
        let (reviews, admin) = wait::found("the webhook's ports", PATIENCE, async || {
            anyhow::ensure!(!process.has_ended(), "it ended: {}", process.log());
            Ok(ports(&process.log()))
        })
        .await?;
        let ready = async || Ok(http::get(admin, "/readyz", None).await?.0 == 200);
        wait::until("readiness", PATIENCE, ready).await.with_context(|| process.log())?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes())?)?;
        Ok(Self { reviews, admin, process, roots: Arc::new(roots), _api_server: api_server })
    }

    /// The TLS configuration of a client that shows a certificate.
    pub(crate) fn tls_of(&self, pem: &[String; 2]) -> anyhow::Result<Arc<ClientConfig>> {
        let config = ClientConfig::builder().with_root_certificates(Arc::clone(&self.roots));
        let chain = vec![CertificateDer::from_pem_slice(pem[0].as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(pem[1].as_bytes())?;
        Ok(Arc::new(config.with_client_auth_cert(chain, key)?))
    }

    /// The TLS configuration of a client that offers one version of HTTP.
    pub(crate) fn tls(&self, alpn: &str) -> Arc<ClientConfig> {
        let config = ClientConfig::builder().with_root_certificates(Arc::clone(&self.roots));
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Arc::new(config)
    }
}

fn ports(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.into_iter().find(|line| line["message"] == "listening")?;
    let port = |field: &str| line[field].as_str()?.parse().ok();
    Some((port("reviews")?, port("admin")?))
}
