//! Simulates the API server: sends an AdmissionReview over HTTPS and applies the returned patch.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Failure;

/// Sends reviews to a webhook as an API server does: HTTP/1.1 over TLS, trusting only the
/// `caBundle`.
pub(crate) struct ApiServer {
    address: SocketAddr,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// A pod after admission, with the webhook's patch and warnings.
pub(crate) struct AdmittedPod {
    /// The pod as it would be stored.
    pub(crate) pod: Value,
    pub(crate) patch: Value,
    pub(crate) warnings: Vec<String>,
}

impl ApiServer {
    /// An API server whose webhook configuration has this `name` and `ca_bundle_pem`. `address` is
    /// what the name resolves to.
    pub(crate) fn new(
        address: SocketAddr,
        name: &str,
        ca_bundle_pem: &str,
    ) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::bug("reading the caBundle", error);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_bundle_pem.as_bytes()) {
            let certificate = certificate.map_err(|error| failed(&error))?;
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).map_err(|error| failed(&error))?;
        Ok(Self { address, name, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Creates a pod: the webhook reviews it, and its patch is applied.
    pub(crate) async fn create(
        &self,
        namespace: &str,
        pod: &Value,
    ) -> Result<AdmittedPod, Failure> {
        let review = review(namespace, pod);
        let answer = self.post("/mutate?timeout=3s", review.to_string()).await;
        let answer = answer.map_err(|error| Failure::bug("reviewing the pod", &error))?;
        let response = answer.get("response").unwrap_or(&Value::Null);
        if response.get("uid") != review.pointer("/request/uid") {
            return Err(Failure::bug("reviewing the pod", &"the uid of the response differs"));
        }
        if response.get("allowed") != Some(&Value::Bool(true)) {
            let message = response.pointer("/status/message").and_then(Value::as_str);
            return Err(Failure::bug(
                "the webhook rejected the pod",
                &message.unwrap_or("no message"),
            ));
        }
        let warnings = super::kubelet::list(response, "warnings");
        let warnings = warnings.filter_map(Value::as_str).map(str::to_owned).collect();
        let patch = patch(response).map_err(|error| Failure::bug("applying the patch", &error))?;
        let mut patched = pod.clone();
        json_patch::patch(&mut patched, &patch)
            .map_err(|error| Failure::bug("applying the patch", &error))?;
        let patch = serde_json::to_value(&patch).unwrap_or_default();
        Ok(AdmittedPod { pod: patched, patch, warnings })
    }

    async fn post(&self, path: &str, body: String) -> anyhow::Result<Value> {
        let stream = TcpStream::connect(self.address).await?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::post(path)
            .header("host", self.name.to_str().as_ref())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let text = || String::from_utf8_lossy(&bytes).trim().to_owned();
        anyhow::ensure!(parts.status.is_success(), "HTTP {}: {}", parts.status, text());
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// The review that kube-apiserver 1.30 and later sends when a controller creates a pod.
fn review(namespace: &str, pod: &Value) -> Value {
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "2f1c8c1e-0d5b-4a39-9c8e-7b3f5f6a1d01",
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "requestKind": { "group": "", "version": "v1", "kind": "Pod" },
            "requestResource": { "group": "", "version": "v1", "resource": "pods" },
            "name": pod.pointer("/metadata/name"),
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": { "username": "system:serviceaccount:kube-system:replicaset-controller" },
            "object": pod,
            "oldObject": null,
            "dryRun": false,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" },
        },
    })
}

fn patch(response: &Value) -> anyhow::Result<json_patch::Patch> {
    let Some(patch) = response.get("patch").filter(|patch| !patch.is_null()) else {
        return Ok(json_patch::Patch(Vec::new()));
    };
    anyhow::ensure!(response.get("patchType") == Some(&json!("JSONPatch")), "no patchType");
    let bytes = STANDARD.decode(patch.as_str().unwrap_or_default())?;
    Ok(serde_json::from_slice(&bytes)?)
}
