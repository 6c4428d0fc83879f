//! The API server's part: reviews over TLS, on new and on kept connections, and how long each
//! takes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::program::Program;

/// As long as the API server waits with the chart's defaults.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// A kept connection.
pub(crate) type Kept = SendRequest<Full<Bytes>>;

pub(crate) async fn connect(
    address: SocketAddr,
    tls: Arc<ClientConfig>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(TlsConnector::from(tls).connect(ServerName::try_from("127.0.0.1")?, stream).await?)
}

pub(crate) async fn open(program: &Program) -> anyhow::Result<Kept> {
    let stream = connect(program.reviews, program.tls("http/1.1")).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The answer to a review of a new pod with this ServiceAccount.
pub(crate) async fn review(
    kept: &mut Kept,
    namespace: &str,
    service_account: &str,
) -> anyhow::Result<Value> {
    let request = Request::post("/mutate?timeout=3s")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .body(Full::new(body(namespace, service_account)))?;
    let answer = kept.send_request(request).await?;
    anyhow::ensure!(answer.status() == 200, "{}", answer.status());
    let body = answer.into_body().collect().await?.to_bytes();
    let answer: Value = serde_json::from_slice(&body)?;
    anyhow::ensure!(answer["response"]["allowed"] == true, "{answer}");
    Ok(answer)
}

pub(crate) fn body(namespace: &str, service_account: &str) -> Bytes {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "app-", "namespace": namespace},
        "spec": {"serviceAccountName": service_account,
            "containers": [{"name": "app", "image": "example.org/app"}]}});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u-1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE", "namespace": namespace, "object": pod}})
    .to_string()
    .into()
}

/// How long reviews took, sorted.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn p99(&self) -> Duration {
        self.0.get(self.0.len() * 99 / 100).copied().unwrap_or_default()
    }

    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let median = self.0.get(self.0.len() / 2).copied().unwrap_or_default();
        write!(f, "{} reviews, median {median:?}, p99 {:?}", self.0.len(), self.p99())
    }
}

/// So many reviews, each on a connection of its own. Fails if one has no answer.
pub(crate) async fn on_new_connections(program: &Program, count: usize) -> anyhow::Result<Times> {
    timed(count, async || review(&mut open(program).await?, "shop", "new-1").await).await
}

/// The same on one connection.
pub(crate) async fn on_a_kept_connection(kept: &mut Kept, count: usize) -> anyhow::Result<Times> {
    timed(count, async || review(kept, "shop", "new-1").await).await
}

async fn timed(
    count: usize,
    mut one: impl AsyncFnMut() -> anyhow::Result<Value>,
) -> anyhow::Result<Times> {
    let mut times = Vec::new();
    for number in 0..count {
        let begun = Instant::now();
        let answer = timeout(PATIENCE, one()).await;
        answer.ok().context("too late")?.with_context(|| format!("review {number} of {count}"))?;
        times.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(Times::of(times))
}
