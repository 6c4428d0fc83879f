//! An issuer's documents over HTTP. Only this file uses the HTTP client.

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

use super::error::DiscoveryError;

/// The time limit for one document.
const DEADLINE: Duration = Duration::from_secs(5);
/// Maximum bytes of a document.
const MAX_DOCUMENT: usize = 512 * 1024;

/// Fetches JSON documents from issuers.
pub(crate) struct DocumentClient {
    client: Client<HttpsConnector<HttpConnector>, Empty<&'static [u8]>>,
}

impl DocumentClient {
    /// A client that trusts the system's root certificates.
    pub(super) fn new() -> Result<Self, DiscoveryError> {
        podrole_runtime::crypto::install();
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| DiscoveryError::RootCertificates(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// A client that only trusts a cluster's CA.
    pub(crate) fn for_cluster(ca_pem: &str) -> Result<Self, DiscoveryError> {
        let mut roots = RootCertStore::empty();
        for one in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            let one = one.map_err(|error| DiscoveryError::ClusterCa(error.to_string()))?;
            roots.add(one).map_err(|error| DiscoveryError::ClusterCa(error.to_string()))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| DiscoveryError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector.build()) })
    }

    /// Fetches a JSON document, with a bearer token if one is given. Redirects are not followed.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        url: &str,
        token: Option<&str>,
    ) -> Result<T, DiscoveryError> {
        let failed = |reason| DiscoveryError::Fetch { url: url.to_owned(), reason };
        let request = request(url, token)?;
        let fetch = async {
            let response = self.client.request(request).await;
            let response = response.map_err(|error| failed(chain(&error)))?;
            if !response.status().is_success() {
                return Err(failed(format!("status {}", response.status())));
            }
            let body = Limited::new(response.into_body(), MAX_DOCUMENT).collect().await;
            Ok(body.map_err(|error| failed(error.to_string()))?.to_bytes())
        };
        let no_response = |_| Err(failed(format!("no response within {} s", DEADLINE.as_secs())));
        let body = timeout(DEADLINE, fetch).await.unwrap_or_else(no_response)?;
        serde_json::from_slice(&body).map_err(|error| DiscoveryError::Parse {
            url: url.to_owned(),
            reason: error.to_string(),
        })
    }
}

fn request(
    url: &str,
    token: Option<&str>,
) -> Result<Request<Empty<&'static [u8]>>, DiscoveryError> {
    let mut request = Request::get(url);
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(|_| DiscoveryError::Token)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Empty::new()).map_err(|_| DiscoveryError::Url(url.to_owned()))
}

/// An error with its causes: the client's own text only says that it could not connect.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
