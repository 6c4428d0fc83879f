//! Forwards requests to the emulator with one shared HTTP client, without hop-by-hop headers.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use axum::{body::Body, extract::Request, response::Response};
use http::{
    HeaderMap, HeaderValue, Uri, Version, header,
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::time::timeout;

use super::{error::UpstreamError, forward_error::ForwardError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the emulator may take until its response begins, including the upload of a large body.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(300);
/// Hop-by-hop headers: RFC 9110 §7.6.1.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Forwards requests. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Forwarder {
    scheme: Scheme,
    authority: Authority,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Forwarder {
    /// A forwarder to the server at that URL.
    ///
    /// # Errors
    /// If the URL has a path or no host, or for https if there are no CA certificates.
    pub(crate) fn new(url: &str) -> Result<Self, UpstreamError> {
        let (scheme, authority) = root(url).ok_or_else(|| UpstreamError::Url(url.to_owned()))?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&scheme)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self { scheme, authority, client: Client::builder(TokioExecutor::new()).build(https) })
    }

    /// Sends a request and returns the emulator's response unchanged, apart from hop-by-hop headers.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, ForwardError> {
        let request = self.addressed(request)?;
        match timeout(RESPONSE_TIMEOUT, self.client.request(request)).await {
            Err(_) => Err(ForwardError::Silent {
                url: self.to_string(),
                seconds: RESPONSE_TIMEOUT.as_secs(),
            }),
            Ok(Err(error)) => {
                Err(ForwardError::Unreachable { url: self.to_string(), why: innermost(&error) })
            }
            Ok(Ok(answer)) => {
                let mut answer = answer.map(Body::new);
                drop_connection_headers(answer.headers_mut());
                Ok(answer)
            }
        }
    }

    /// The request for the emulator. It keeps its `Host`, which is signed and can contain a bucket's name.
    fn addressed(&self, request: Request) -> Result<Request, ForwardError> {
        let (mut parts, body) = request.into_parts();
        if let Some(host) =
            parts.uri.authority().filter(|_| !parts.headers.contains_key(header::HOST))
        {
            let host =
                HeaderValue::from_str(host.as_str()).map_err(|_| ForwardError::Unwritable)?;
            parts.headers.insert(header::HOST, host);
        }
        let root = PathAndQuery::from_static("/");
        let path = parts.uri.path_and_query().cloned().unwrap_or(root);
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        parts.uri = uri.path_and_query(path).build().map_err(|_| ForwardError::Unwritable)?;
        parts.version = Version::HTTP_11;
        drop_connection_headers(&mut parts.headers);
        // Reading the body has already responded to `Expect: 100-continue`.
        parts.headers.remove(header::EXPECT);
        Ok(Request::from_parts(parts, body))
    }
}

fn root(url: &str) -> Option<(Scheme, Authority)> {
    let parts = url.parse::<Uri>().ok()?.into_parts();
    let (scheme, authority) = (parts.scheme?, parts.authority?);
    let path = parts.path_and_query.map(|path| path.to_string()).unwrap_or_default();
    let plain = (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
        && matches!(path.as_str(), "" | "/")
        && !authority.as_str().contains('@');
    plain.then_some((scheme, authority))
}

/// The TLS configuration. CA certificates are only loaded for https.
fn tls(scheme: &Scheme) -> Result<ClientConfig, UpstreamError> {
    let failed = |error: &dyn fmt::Display| UpstreamError::Certificates(error.to_string());
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|error| failed(&error))?;
    let config = match *scheme == Scheme::HTTPS {
        true => config.with_native_roots().map_err(|error| failed(&error))?,
        false => config.with_root_certificates(RootCertStore::empty()),
    };
    Ok(config.with_no_client_auth())
}

fn drop_connection_headers(headers: &mut HeaderMap) {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(',')).map(|name| name.trim().to_lowercase());
    for name in named.collect::<Vec<_>>() {
        headers.remove(&name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The innermost cause of an error: the outer ones only say that something failed.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl fmt::Display for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forwarder({self})")
    }
}

#[cfg(test)]
mod tests;
