//! An issuer's documents over HTTP. The one file that names the HTTP client.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Request, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// How long an issuer may take for both of its documents.
const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of a document.
const MAX_DOCUMENT: usize = 512 * 1024;

/// Asks issuers for their documents.
pub(crate) struct DocumentClient {
    client: Client<HttpsConnector<HttpConnector>, Empty<&'static [u8]>>,
}

impl DocumentClient {
    /// A client that trusts what the system trusts.
    pub(super) fn new() -> Result<Self, String> {
        podrole_runtime::crypto::install();
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("this system's root certificates cannot be read: {error}"))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// A client that trusts a cluster's CA, and nobody else.
    pub(crate) fn for_cluster(ca_pem: &str) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for one in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            let one = one.map_err(|_| "the cluster's CA is no PEM".to_owned())?;
            roots.add(one).map_err(|error| format!("the cluster's CA: {error}"))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector.build()) })
    }

    /// A document of JSON, asked for with a token where one is given. Redirects are not followed.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        url: &str,
        token: Option<&str>,
    ) -> Result<T, String> {
        let read = async {
            let answer = self.client.request(request(url, token)?).await;
            let answer = answer.map_err(|error| chain(&error))?;
            if !answer.status().is_success() {
                return Err(format!("it answers {}", answer.status()));
            }

            let body = Limited::new(answer.into_body(), MAX_DOCUMENT).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            serde_json::from_slice(&body).map_err(|error| format!("it cannot be read: {error}"))
        };
        let read = timeout(DEADLINE, read).await.unwrap_or_else(|_| Err("no answer".to_owned()));
        read.map_err(|error| format!("{url}: {error}"))
    }
}

fn request(url: &str, token: Option<&str>) -> Result<Request<Empty<&'static [u8]>>, String> {
    let mut request = Request::get(url);
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(|_| "the token is none that a header takes".to_owned())?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Empty::new()).map_err(|_| "it is no URL".to_owned())
}

/// An error with its causes: the client's own says only that it could not connect.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
