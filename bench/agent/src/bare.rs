//! The upper limit: hyper that always sends the same response.

use std::{convert::Infallible, net::SocketAddr};

use anyhow::Context as _;
use http_body_util::Full;
use hyper::{Response, body::Bytes, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

pub(crate) async fn serve() -> anyhow::Result<()> {
    let address = std::env::var("PODROLE_BENCH_BARE").context("PODROLE_BENCH_BARE")?;
    let listener = TcpListener::bind(address.parse::<SocketAddr>()?).await?;
    let token = "x".repeat(1000);
    let body = Bytes::from(format!(
        "{{\"AccessKeyId\":\"ASIABENCHBENCHBENCH\",\"SecretAccessKey\":\"abcdefghijklmnopqrstuvwxyz\
         abcdefghijklmn\",\"Token\":\"{token}\",\"AccountId\":\"111122223333\",\
         \"Expiration\":\"2026-11-21T23:00:00Z\"}}"
    ));
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let body = body.clone();
        tokio::spawn(async move {
            let service = service_fn(move |_| {
                let answer = Response::builder()
                    .header(header::CONTENT_TYPE, "application/json")
                    .header(header::CACHE_CONTROL, "no-store")
                    .body(Full::new(body.clone()));
                let answer = answer.unwrap_or_default();
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = http1::Builder::new();
            let _ =
                http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
