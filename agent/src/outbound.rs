//! HTTP going out, on the one TLS stack: the SDK's client, and small GETs with it.

use std::time::Duration;

use aws_smithy_http_client::{
    Builder, Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings, SharedHttpClient},
    orchestrator::HttpRequest,
};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

/// No key set or discovery document is larger, in bytes.
const MAX_BODY: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

fn tls() -> Provider {
    Provider::Rustls(CryptoMode::AwsLc)
}

/// The client for an AWS SDK.
pub(crate) fn sdk_client() -> SharedHttpClient {
    Builder::new().tls_provider(tls()).build_https()
}

/// The body at `url`. Follows no redirect, reads at most 1 MiB, waits at most 5 s.
///
/// # Errors
/// One line that says what went wrong.
pub(crate) async fn get(url: &str) -> Result<Vec<u8>, String> {
    timeout(TIMEOUT, try_get(url)).await.unwrap_or_else(|_| Err("no answer within 5 s".to_owned()))
}

async fn try_get(url: &str) -> Result<Vec<u8>, String> {
    let settings = HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(2)).build();
    let connector = Connector::builder().connector_settings(settings).tls_provider(tls()).build();
    let request = HttpRequest::get(url).map_err(|fault| fault.to_string())?;
    let answer = connector.call(request).await;
    let answer = answer.map_err(|fault| {
        let cause = std::error::Error::source(&fault).map(ToString::to_string);
        cause.unwrap_or_else(|| fault.to_string())
    })?;
    if answer.status().as_u16() != 200 {
        return Err(format!("status {}", answer.status().as_u16()));
    }
    let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|_| "the answer broke off, or is over 1 MiB".to_owned())?;
    Ok(body.to_bytes().to_vec())
}
