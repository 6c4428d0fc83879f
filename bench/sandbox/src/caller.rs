//! A connection to the sandbox.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) struct Caller(http1::SendRequest<Full<Bytes>>);

/// The body of AssumeRoleWithWebIdentity with `token`.
pub(crate) fn body(token: &str) -> anyhow::Result<Bytes> {
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", crate::program::ROLE),
        ("RoleSessionName", "bench"),
        ("WebIdentityToken", token),
    ];
    Ok(serde_urlencoded::to_string(fields)?.into())
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Requests a token from the sandbox's issuer. Each `number` is another pod.
    pub(crate) async fn token(&mut self, number: usize) -> anyhow::Result<String> {
        let request =
            format!(r#"{{"namespace": "shop", "serviceAccount": "app", "pod": "app-{number}"}}"#);
        let token = self.post("/_podrole/tokens", "application/json", request.into()).await?;
        Ok(String::from_utf8(token.to_vec())?)
    }

    pub(crate) async fn assume(&mut self, body: Bytes) -> anyhow::Result<()> {
        self.post("/", FORM, body).await.map(drop)
    }

    async fn post(&mut self, path: &str, kind: &str, body: Bytes) -> anyhow::Result<Bytes> {
        let request = Request::post(path).header("host", "sandbox").header("content-type", kind);
        self.0.ready().await?;
        let answer = self.0.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        let body =
            answer.into_body().collect().await.context("could not read the response")?.to_bytes();
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}
