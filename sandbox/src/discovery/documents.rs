//! An issuer's documents and an API server's objects over HTTP. Only this file uses the HTTP client.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full, Limited};
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
/// Maximum bytes of a document. An object of Kubernetes has 1 MiB of data at most.
const MAX_DOCUMENT: usize = 2 * 1024 * 1024;

/// Fetches JSON documents from issuers.
pub(crate) struct DocumentClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
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
        let (status, body) = self.send(Method::GET, url, token, None).await?;
        if !status.is_success() {
            let reason = format!("status {status}");
            return Err(DiscoveryError::Fetch { url: url.to_owned(), reason });
        }
        serde_json::from_slice(&body).map_err(|error| DiscoveryError::Parse {
            url: url.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Sends a request, with a content type and a body if they are given, and returns status and body.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        token: Option<&str>,
        content: Option<(&'static str, String)>,
    ) -> Result<(StatusCode, Bytes), DiscoveryError> {
        let failed = |reason| DiscoveryError::Fetch { url: url.to_owned(), reason };
        let request = request(method, url, token, content)?;
        let fetch = async {
            let response = self.client.request(request).await;
            let response = response.map_err(|error| failed(chain(&error)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_DOCUMENT).collect().await;
            Ok((status, body.map_err(|error| failed(error.to_string()))?.to_bytes()))
        };
        let no_response = |_| Err(failed(format!("no response within {} s", DEADLINE.as_secs())));
        timeout(DEADLINE, fetch).await.unwrap_or_else(no_response)
    }
}

fn request(
    method: Method,
    url: &str,
    token: Option<&str>,
    content: Option<(&'static str, String)>,
) -> Result<Request<Full<Bytes>>, DiscoveryError> {
    let mut request = Request::builder().method(method).uri(url);
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(|_| DiscoveryError::Token)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let body = match content {
        None => Full::default(),
        Some((kind, body)) => {
            request = request.header(CONTENT_TYPE, kind);
            Full::from(body)
        }
    };
    request.body(body).map_err(|_| DiscoveryError::Url(url.to_owned()))
}

/// An error with its causes: the client's own text only says that it could not connect.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
