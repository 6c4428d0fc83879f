//! An STS that cannot be reached, and one that says more than AWS's.

use std::sync::Arc;

use axum::{Router, http::StatusCode, routing::post};
use podrole_identity::SANDBOX_REASON_HEADER;
use podrole_runtime::serve::{Limits, Server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    fixture::rules,
    full_path::{World, world_with},
    source_credentials::endpoint,
};
use crate::{exchange::web_identity::WebIdentity, http_client::HttpClients};

/// The message of the agent's answer, whose STS is at `url`.
async fn said(url: &str, expected: u16) -> String {
    podrole_runtime::crypto::install();
    let exchange = Arc::new(WebIdentity::at(&endpoint(url), &HttpClients::default()));
    let world: World = world_with(|_| exchange, rules(), |_| {}).await;
    let (status, body) = world.ask(&world.token()).await;
    assert_eq!(status, expected, "{body}");
    body["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_answer_names_the_endpoint_and_what_happened() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let message = said(&format!("http://user:secret@{free}/x"), 503).await;
    assert_eq!(
        message,
        format!(
            "AWS is not available right now: http://{free}: the connection is refused; check the \
             URL, and what listens there; retry in a few seconds"
        )
    );
    // Nothing there speaks TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let message = said(&format!("https://{silent}"), 503).await;
    assert!(message.contains("the connection was closed"), "{message}");
}

#[tokio::test]
async fn a_status_of_the_services_own_is_named() {
    let world = super::full_path::world().await;
    world.sts.fails_with(503, "ServiceUnavailable");
    let (status, body) = world.ask(&world.token()).await;
    let url = world.sts.url();
    let expected = format!("{url} answers with status 503; the service has a problem of its own");
    assert_eq!(status, 503);
    assert!(body["message"].as_str().unwrap().contains(&expected), "{body}");
}

#[tokio::test]
async fn the_sandboxs_reason_comes_first() {
    const DENIED: &str = "<ErrorResponse><Error><Code>AccessDenied</Code>\
         <Message>Not authorized</Message></Error></ErrorResponse>";
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).await.unwrap();
    let url = format!("http://{}", server.address());
    let answer = |body: String| async move {
        // It echoes the token.
        let token = body.split('&').find_map(|part| part.strip_prefix("WebIdentityToken="));
        let reason = format!("account 444455556666 is not configured for {}", token.unwrap());
        (StatusCode::FORBIDDEN, [(SANDBOX_REASON_HEADER, reason)], DENIED)
    };
    let router = Router::new().route("/", post(answer));
    tokio::spawn(server.run(router, CancellationToken::new()));
    let message = said(&url, 403).await;
    let start = "podrole-sandbox: account 444455556666 is not configured for ";
    assert!(message.starts_with(start) && message.contains("; AWS does not allow"), "{message}");
    assert!(!message.contains("eyJ"), "the token: {message}");
}
