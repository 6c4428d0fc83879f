//! Over the network: TLS, and the two versions of HTTP that a client may choose.

use std::net::Ipv4Addr;

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use podrole_certs::{Authority, Serving};
use podrole_runtime::{
    clock::now,
    serve::{Limits, Server},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use super::*;

async fn connect(authority: &Authority, port: u16, alpn: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn send(stream: TlsStream<TcpStream>, http2: bool) -> Response<Incoming> {
    let before = if http2 { "https://127.0.0.1" } else { "" };
    let request = Request::post(format!("{before}/mutate/required?timeout=3s"))
        .header("content-type", "application/json")
        .header("host", "127.0.0.1");
    let request = request.body(Full::new(Bytes::from(REVIEW))).unwrap();
    let stream = TokioIo::new(stream);
    if http2 {
        let (mut sender, driver) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(driver);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, driver) = http1::handshake(stream).await.unwrap();
        tokio::spawn(driver);
        sender.send_request(request).await.unwrap()
    }
}

/// Runs the webhook until `shutdown`; returns the authority of its certificate and its port.
async fn serve(metrics: Metrics, shutdown: CancellationToken) -> (Authority, u16) {
    podrole_runtime::crypto::install();
    let day = Duration::from_secs(86_400);
    let authority = Authority::mint("test CA", now(), day).unwrap();
    let pair = authority.issue(&["127.0.0.1"], now(), day).unwrap();
    let tls = Serving::new(&pair).unwrap().server_config().unwrap();
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), Limits::default()).await.unwrap();
    let port = server.address().port();
    let webhook = Webhook::new(InMemory::default(), Settings::default(), metrics);
    let routes = router(Arc::new(webhook));
    tokio::spawn(server.with_tls(tls).run(routes, shutdown));
    (authority, port)
}

#[tokio::test]
async fn both_versions_of_http_work_and_each_review_is_timed() {
    let metrics = Metrics::default();
    let (authority, port) = serve(metrics.clone(), CancellationToken::new()).await;
    for (alpn, http2) in [("http/1.1", false), ("h2", true)] {
        let stream = connect(&authority, port, alpn).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        let answer = send(stream, http2).await;
        assert_eq!(answer.status(), StatusCode::OK, "{alpn}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["response"]["uid"], "u-1", "{alpn}");
    }
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let line = r#"podrole_webhook_review_duration_seconds_count{route="/mutate/required"} 2"#;
    assert!(text.contains(line), "{text}");
}

/// An API server that has made its connection just before an upgrade sends its review on it.
#[tokio::test]
async fn a_connection_whose_handshake_was_before_the_shutdown_is_answered() {
    let shutdown = CancellationToken::new();
    let (authority, port) = serve(Metrics::default(), shutdown.clone()).await;
    let stream = connect(&authority, port, "http/1.1").await;
    // The server's side of the handshake ends after ours.
    tokio::time::sleep(Duration::from_millis(100)).await;
    shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(send(stream, false).await.status(), StatusCode::OK);
}
