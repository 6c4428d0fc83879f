//! The sandbox as a pod of the cluster: whose tokens are good, it asks the API server.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::Context as _;
use podrole_certs::Authority;
use podrole_runtime::clock::now;
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    process::Process,
    project,
};

use crate::daemons::{ACCOUNT, LIFE, REGION, folder, output, role, until};

pub(crate) struct InCluster {
    pub(crate) plain: SocketAddr,
    tls: SocketAddr,
    pub(crate) process: Process,
    folder: std::path::PathBuf,
}

/// Starts `podrole-sandbox` as a pod of the ServiceAccount `sandbox` would run it: without a file.
pub(crate) async fn start(
    cluster: &Cluster,
    namespace: &TestNamespace<'static>,
    more: &[&str],
) -> anyhow::Result<InCluster> {
    let folder = folder()?;
    let token = namespace.unbound_token("sandbox", cluster.issuer(), 600).await?;
    fs::write(folder.join("token"), token)?;
    fs::copy(cluster.ca_file(), folder.join("ca.crt"))?;
    let authority = Authority::mint("test CA", now(), LIFE)?;
    let pair = authority.issue(&["127.0.0.1"], now(), LIFE)?;
    fs::write(folder.join("tls-ca.pem"), authority.certificate_pem())?;
    fs::write(folder.join("tls.crt"), pair.certificates_pem())?;
    fs::write(folder.join("tls.key"), pair.key_pem())?;
    let server = cluster.url().strip_prefix("https://").context("no https")?;
    let (host, port) = server.split_once(':').context("no port")?;
    let mut command = Command::new(project::binary("podrole-sandbox")?);
    command.args(["--in-cluster", "--auto-roles", "--account", ACCOUNT]).args(more);
    command.args(["--bind=127.0.0.1:0", "--tls-bind=127.0.0.1:0"]);
    for (flag, name) in
        [("--service-account", ""), ("--tls-cert", "tls.crt"), ("--tls-key", "tls.key")]
    {
        command.arg(flag).arg(folder.join(name));
    }
    command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
    let process = Process::start("podrole-sandbox", &folder, &command)?;
    let (plain, tls) = until(&process, |log| {
        let line = log.lines().find(|line| line.starts_with("podrole-sandbox on http://"))?;
        let (addresses, _) = line.split_once(": ")?;
        let (plain, tls) = addresses.rsplit_once(" and https://")?;
        let plain = plain.strip_prefix("podrole-sandbox on http://")?;
        Some((plain.parse().ok()?, tls.parse().ok()?))
    })
    .await?;
    Ok(InCluster { plain, tls, process, folder })
}

/// The ARN that the SDK for Rust gets with a token at this endpoint, or its error.
async fn become_role(ca: &Path, endpoint: &str, token: &str) -> anyhow::Result<String> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), token)?;
    let variables = [
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ROLE_ARN", role()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.path().display().to_string()),
        ("AWS_ROLE_SESSION_NAME", "it".to_owned()),
        ("AWS_ENDPOINT_URL_STS", endpoint.to_owned()),
        ("SSL_CERT_FILE", ca.display().to_string()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    output(Path::new(env!("CARGO_BIN_EXE_whoami")), &["caller-identity"], &variables).await
}

#[tokio::test]
async fn a_sandbox_in_a_pod_believes_its_clusters_tokens_and_makes_what_irsa_needs() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("in-cluster", &[]).await.unwrap();
    namespace.service_account("sandbox", &[]).await.unwrap();
    let sandbox = start(cluster, &namespace, &[]).await.unwrap();
    let mut tokens = Vec::new();
    for account in ["app", "other"] {
        namespace.service_account(account, &[]).await.unwrap();
        let pod = namespace.pod(plain_pod(account, account)).await.unwrap();
        tokens.push(namespace.bound_token(&pod, "sts.amazonaws.com", 600).await.unwrap());
    }
    let (ca, assumed) = (
        sandbox.folder.join("tls-ca.pem"),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/shop-app/it"),
    );
    // A token that the API server did not sign makes nothing: the role is still to be had.
    let (signed, signature) = tokens[1].rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{first}{}", &signature[1..]);
    let error = become_role(&ca, &format!("http://{}", sandbox.plain), &forged).await;
    assert!(error.unwrap().contains("InvalidIdentityToken"));
    for endpoint in [format!("http://{}", sandbox.plain), format!("https://{}", sandbox.tls)] {
        let arn = become_role(&ca, &endpoint, &tokens[0]).await;
        let arn = arn.unwrap();
        assert!(arn.contains(&assumed), "{endpoint}: {arn} {}", sandbox.process.log());
        // The role belongs to the first caller now; no other caller can assume it.
        let error = become_role(&ca, &endpoint, &tokens[1]).await.unwrap();
        assert!(error.contains("AccessDenied"), "{error}");
    }
}
