//! An issuer's documents over HTTP. The one file that names the HTTP client.

use std::time::Duration;

use http::Uri;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// How long an issuer may take for both of its documents.
const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of a document.
const MAX_DOCUMENT: usize = 512 * 1024;

/// Asks issuers for their documents.
pub(super) struct Documents {
    client: Client<HttpsConnector<HttpConnector>, Empty<&'static [u8]>>,
}

impl Documents {
    /// A client that trusts what the system trusts.
    pub(super) fn new() -> Result<Self, String> {
        podrole_runtime::crypto::install();
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|fault| format!("this system's root certificates cannot be read: {fault}"))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// A document of JSON. Redirects are not followed.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let read = async {
            let uri: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
            let answer = self.client.get(uri).await.map_err(|fault| chain(&fault))?;
            if !answer.status().is_success() {
                return Err(format!("it answers {}", answer.status()));
            }

            let body = Limited::new(answer.into_body(), MAX_DOCUMENT).collect().await;
            let body = body.map_err(|fault| fault.to_string())?.to_bytes();
            serde_json::from_slice(&body).map_err(|fault| format!("it cannot be read: {fault}"))
        };
        let read = timeout(DEADLINE, read).await.unwrap_or_else(|_| Err("no answer".to_owned()));
        read.map_err(|fault| format!("{url}: {fault}"))
    }
}

/// An error with its causes: the client's own says only that it could not connect.
fn chain(fault: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(fault), |fault| fault.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
