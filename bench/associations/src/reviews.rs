//! Reviews of pods, sent as an API server sends them: HTTP/1.1 on a TLS connection that is kept.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::ensure;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::TlsConnector;

pub(crate) struct Reviewer(http1::SendRequest<Full<Bytes>>);

impl Reviewer {
    pub(crate) async fn connect(address: SocketAddr, ca: &str) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("127.0.0.1")?;
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// How long the review of a pod of this ServiceAccount takes.
    ///
    /// # Errors
    /// Also if the pod is not injected with container credentials.
    pub(crate) async fn review(
        &mut self,
        (namespace, service_account): &(String, String),
    ) -> anyhow::Result<Duration> {
        let body = review(namespace, service_account).to_string();
        let request = Request::post("/mutate?timeout=3s")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        self.0.ready().await?;
        let sent = Instant::now();
        let answer = self.0.send_request(request).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        let took = sent.elapsed();
        let answer: Value = serde_json::from_slice(&body)?;
        let response = &answer["response"];
        ensure!(
            response["patch"].is_string() && response["warnings"].is_null(),
            "{namespace}/{service_account} was not injected: {answer}"
        );
        Ok(took)
    }
}

fn review(namespace: &str, service_account: &str) -> Value {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "app-", "namespace": namespace, "labels": {"app": "app"}},
        "spec": {
            "serviceAccountName": service_account,
            "containers": [{"name": "app", "image": "example.org/team/app:1.2.3"}],
        },
    });
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "b5c1a1a0-6a4f-4e42-9d35-4b8f6a1f2c11",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
        },
    })
}
