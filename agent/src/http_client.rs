//! HTTP clients, all on the one TLS stack: for AWS's SDKs, and for a few requests of the agent's own.
//!
//! They trust the certificates in `AWS_CA_BUNDLE` in addition to the system's, and use the
//! environment's proxies, but never for addresses on this machine or link.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, default_async_sleep};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings, SharedHttpClient},
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{aws_clock::AwsClock, exchange::Failure};

/// The largest response that is read, in bytes. Key sets and discovery documents are far smaller.
const MAX_BODY: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses that are never reached through a proxy: this machine and its link.
const NEAR: &str = "127.0.0.0/8,::1,localhost,169.254.0.0/16,fd00:ec2::/32";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Builds clients with the same certificates and proxies.
#[derive(Clone, Default)]
pub struct HttpClients {
    /// Certificates in addition to the system's, as PEM.
    bundle: Option<Vec<u8>>,
    /// A client that SDKs use in place of the network.
    replacement: Option<SharedHttpClient>,
    aws_clock: AwsClock,
}

/// The file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("AWS_CA_BUNDLE {}: {reason}; set it to a PEM file of certificates", path.display())]
pub struct CaBundleError {
    path: PathBuf,
    reason: String,
}

/// A complete response. It has no `Debug`, because its body may have credentials.
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// The error code that AWS sends in a header, if it does.
    pub error_type: Option<String>,
    /// The header `Date`.
    pub date: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The body, at most 1 MiB.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// The code of an error of AWS, from the header or the body: `Code` of `prefix#Code:http://...`.
    #[must_use]
    pub fn error_code(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Body {
            #[serde(rename = "__type", alias = "code")]
            code: String,
        }
        let of_body = || serde_json::from_slice(&self.body).ok().map(|it: Body| it.code);
        let named = self.error_type.clone().or_else(of_body)?;
        let code = named.split(':').next()?.rsplit('#').next()?;
        (!code.is_empty()).then(|| code.to_owned())
    }
}

fn tls() -> Provider {
    Provider::Rustls(CryptoMode::AwsLc)
}

impl HttpClients {
    /// Clients that also trust the certificates in a PEM file.
    ///
    /// # Errors
    /// If the file cannot be read or contains no certificate.
    pub fn with_bundle(path: Option<&Path>) -> Result<Self, CaBundleError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let failed = |reason| CaBundleError { path: path.to_owned(), reason };
        let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let marker = b"-----BEGIN CERTIFICATE-----";
        if !pem.windows(marker.len()).any(|part| part == marker) {
            return Err(failed("it contains no certificate in PEM form".to_owned()));
        }
        Ok(Self { bundle: Some(pem), ..Self::default() })
    }

    /// Clients that send the SDKs' requests to `client`, for an AWS in this process.
    #[must_use]
    pub fn through(client: SharedHttpClient) -> Self {
        Self { replacement: Some(client), ..Self::default() }
    }

    /// The same clients, which compare the node's clock with AWS's.
    #[must_use]
    pub fn with_clock(self, aws_clock: AwsClock) -> Self {
        Self { aws_clock, ..self }
    }

    /// AWS's clock, as the answers to these clients show it.
    pub(crate) fn aws_clock(&self) -> AwsClock {
        self.aws_clock.clone()
    }

    fn context(&self) -> TlsContext {
        let store = TrustStore::default().with_native_roots(true);
        let store = match &self.bundle {
            Some(pem) => store.with_pem_certificate(pem.clone()),
            None => store,
        };
        let context = TlsContext::builder().with_trust_store(store).build();
        context.unwrap_or_default()
    }

    fn build_connector(
        &self,
        settings: HttpConnectorSettings,
        proxy: ProxyConfig,
        sleep: Option<SharedAsyncSleep>,
    ) -> Connector {
        let mut builder = Connector::builder().connector_settings(settings);
        builder.set_sleep_impl(sleep.or_else(default_async_sleep));
        builder.proxy_config(proxy).tls_provider(tls()).tls_context(self.context()).build()
    }

    fn client(&self, proxy: ProxyConfig) -> SharedHttpClient {
        let clients = self.clone();
        Builder::new().build_with_connector_fn(move |settings, components| {
            let settings = settings.cloned().unwrap_or_else(short);
            let sleep = components.and_then(RuntimeComponents::sleep_impl);
            clients.build_connector(settings, proxy.clone(), sleep)
        })
    }

    /// The client for an AWS SDK.
    #[must_use]
    pub fn sdk_client(&self) -> SharedHttpClient {
        self.replacement.clone().unwrap_or_else(|| self.client(proxies()))
    }

    /// The client for addresses on this link.
    pub(crate) fn direct_client(&self) -> SharedHttpClient {
        self.client(ProxyConfig::disabled())
    }

    /// A connector for requests that no SDK makes. It keeps connections, so keep it.
    #[must_use]
    pub fn connector(&self) -> Connector {
        self.build_connector(short(), proxies(), None)
    }

    /// The same by this proxy, whatever the environment says. `None` if it is not the URL of one.
    #[must_use]
    pub fn connector_by(&self, proxy: &str) -> Option<Connector> {
        let proxy = ProxyConfig::https(proxy).ok()?;
        Some(self.build_connector(short(), proxy, None))
    }
}

fn short() -> HttpConnectorSettings {
    HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(TIMEOUT).build()
}

/// The environment's proxy for HTTPS, except to this machine and its link. Plain HTTP is used only
/// for a local emulator of AWS, which is reached directly.
fn proxies() -> ProxyConfig {
    let variable = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let Some(proxy) = named.iter().find_map(variable) else {
        return ProxyConfig::disabled();
    };
    let except = ["NO_PROXY", "no_proxy"].iter().filter_map(variable);
    let except: Vec<String> = except.chain([NEAR.to_owned()]).collect();
    match ProxyConfig::https(proxy) {
        Ok(proxy) => proxy.no_proxy(except.join(",")),
        Err(_) => {
            tracing::warn!("HTTPS_PROXY is not a valid URL; connecting to AWS without a proxy");
            ProxyConfig::disabled()
        }
    }
}

/// Sends `request` and reads the response, at most 1 MiB of it.
///
/// # Errors
/// What happened, and whether a proxy was to be used.
pub async fn send(
    connector: &Connector,
    request: HttpRequest,
) -> Result<RawResponse, (Failure, bool)> {
    let response = connector.call(request).await;
    let response = response.map_err(|error| Failure::of(&error))?;
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let (error_type, date) = (header("x-amzn-errortype"), header("date"));
    let content_type = header("content-type");
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|_| (Failure::Unreadable, false))?.to_bytes().to_vec();
    Ok(RawResponse { status, error_type, date, content_type, body })
}

/// Gets `url`. Follows no redirect, reads at most 1 MiB, waits at most 5 s.
///
/// # Errors
/// Says in one line what went wrong.
pub(crate) async fn get(url: &str) -> Result<Vec<u8>, String> {
    timeout(TIMEOUT, try_get(url)).await.unwrap_or_else(|_| Err("no answer within 5 s".to_owned()))
}

async fn try_get(url: &str) -> Result<Vec<u8>, String> {
    let connector = HttpClients::default().connector();
    let request = HttpRequest::get(url).map_err(|error| error.to_string())?;
    let response = connector.call(request).await;
    let response = response.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        cause.unwrap_or_else(|| error.to_string())
    })?;
    if response.status().as_u16() != 200 {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|_| "the response was incomplete or larger than 1 MiB".to_owned())?;
    Ok(body.to_bytes().to_vec())
}
