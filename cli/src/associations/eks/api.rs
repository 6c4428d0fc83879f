//! The two calls of EKS's API that are needed, signed with the credentials that the AWS CLI would use.
//!
//! This is the one file that names EKS's API. aws-sdk-eks would add minutes to a build for two calls.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::BehaviorVersion;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_types::{SdkConfig, service_config::ServiceConfigKey};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use podrole_agent::{
    exchange::EndpointError,
    http_client::{self, HttpClients},
};
use podrole_identity::Partition;
use podrole_runtime::clock;
use serde::Deserialize;
use tokio::{sync::Mutex, time::sleep};

use super::super::cluster_name::ClusterName;

/// The most that EKS lists at once.
const PAGE: &str = "100";
/// Tries of a call that EKS throttles, each after twice the pause: 1 s, then 2 s, at most 20 s.
const THROTTLED_TRIES: u32 = 10;
const LONGEST_PAUSE: u32 = 20;
/// Tries of a call that fails for another reason that may pass.
const TRIES: u32 = 4;
/// Credentials are loaded again so long before they expire.
const AHEAD: Duration = Duration::from_secs(300);

/// A client of EKS in one region.
pub(super) struct Eks {
    url: Arc<str>,
    region: String,
    provider: SharedCredentialsProvider,
    keys: Mutex<Option<Credentials>>,
    connector: Connector,
    /// The first pause after a failed call.
    pause: Duration,
}

/// A page of the list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub(super) associations: Vec<Summary>,
    pub(super) next_token: Option<String>,
}

/// An association in a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) association_id: String,
}

/// An answer that is not 200.
#[derive(Debug, thiserror::Error)]
#[error("EKS refuses the call: {code}: {message}")]
struct Refused {
    status: u16,
    code: String,
    message: String,
}

impl Refused {
    fn is_throttled(&self) -> bool {
        self.status == 429 || self.code.contains("Throttl") || self.code.starts_with("TooMany")
    }
}

/// Why one try failed.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{0}")]
    Endpoint(EndpointError),
}

impl Eks {
    /// The client that the environment and the files of the AWS CLI describe.
    pub(super) async fn from_environment() -> anyhow::Result<Self> {
        let bundle = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
        let clients = HttpClients::with_bundle(bundle.map(PathBuf::from).as_deref())?;
        let config = aws_config::defaults(BehaviorVersion::latest());
        let config = config.http_client(clients.sdk_client()).load().await;
        let region = config.region().map(ToString::to_string);
        let region = region
            .context("no AWS region is configured; set AWS_REGION, or region in ~/.aws/config")?;
        let provider =
            config.credentials_provider().context("no AWS credentials are configured")?;
        let url = endpoint(&config, &region);
        Ok(Self::at(&url, &region, provider, clients.connector(), Duration::from_secs(1)))
    }

    /// A client of the EKS at this URL.
    pub(super) fn at(
        url: &str,
        region: &str,
        provider: SharedCredentialsProvider,
        connector: Connector,
        pause: Duration,
    ) -> Self {
        let url = url.trim_end_matches('/').into();
        Self { url, region: region.to_owned(), provider, keys: Mutex::default(), connector, pause }
    }

    /// A page of the cluster's associations.
    pub(super) async fn list(
        &self,
        cluster: &ClusterName,
        token: Option<&str>,
    ) -> anyhow::Result<Page> {
        let mut path = format!("/clusters/{cluster}/pod-identity-associations?maxResults={PAGE}");
        if let Some(token) = token {
            path.push_str("&nextToken=");
            path.extend(utf8_percent_encode(token, NON_ALPHANUMERIC));
        }
        let body = self.call(&path).await.map_err(anyhow::Error::from)?;
        serde_json::from_slice(&body).context("EKS's list of associations has another form")
    }

    /// The answer for one association; `None` if there is none of this id.
    pub(super) async fn describe(
        &self,
        cluster: &ClusterName,
        id: &str,
    ) -> anyhow::Result<Option<String>> {
        let is_legal = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        anyhow::ensure!(!id.is_empty() && id.bytes().all(is_legal), "EKS lists the id {id:?}");
        let path = format!("/clusters/{cluster}/pod-identity-associations/{id}");
        match self.call(&path).await {
            Ok(body) => Ok(Some(String::from_utf8(body).context("EKS's answer is not UTF-8")?)),
            Err(CallError::Try(TryError::Refused(refused)))
                if refused.code == "ResourceNotFoundException" =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gets a path, again and again while that may help.
    async fn call(&self, path: &str) -> Result<Vec<u8>, CallError> {
        let (mut tries, mut pause) = (1, self.pause);
        loop {
            let keys = self.keys().await?;
            let request = self.request(path, &keys).ok_or(CallError::Request)?;
            let error = match self.send(request).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let most = match &error {
                TryError::Refused(refused) if refused.is_throttled() => THROTTLED_TRIES,
                TryError::Refused(refused) if refused.status < 500 => 1,
                _ => TRIES,
            };
            if tries >= most {
                return Err(CallError::Try(error));
            }
            sleep(pause).await;
            (tries, pause) = (tries + 1, (pause * 2).min(self.pause * LONGEST_PAUSE));
        }
    }

    async fn keys(&self) -> Result<Credentials, CallError> {
        let mut keys = self.keys.lock().await;
        let fresh = |keys: &&Credentials| keys.expiry().is_none_or(|end| end > now() + AHEAD);
        if let Some(keys) = keys.as_ref().filter(fresh) {
            return Ok(keys.clone());
        }
        let loaded = self.provider.provide_credentials().await;
        let loaded = loaded.map_err(|error| CallError::Credentials(causes(&error)))?;
        *keys = Some(loaded.clone());
        Ok(loaded)
    }

    /// The signed request.
    fn request(&self, path: &str, keys: &Credentials) -> Option<HttpRequest> {
        let url = format!("{}{path}", self.url);
        let identity = keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("eks")
            .time(now())
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let signable =
            SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]));
        let (signing, _) = sign(signable.ok()?, &params).ok()?.into_parts();
        let mut request = http::Request::get(&url).body(Vec::new().into()).ok()?;
        signing.apply_to_request_http1x(&mut request);
        request.try_into().ok()
    }

    async fn send(&self, request: HttpRequest) -> Result<Vec<u8>, TryError> {
        let answer = http_client::send(&self.connector, request).await;
        let answer =
            answer.map_err(|what| TryError::Endpoint(EndpointError::new(&self.url, what)))?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        #[derive(Default, Deserialize)]
        struct Body {
            #[serde(alias = "Message")]
            message: Option<String>,
        }
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = answer.error_code().unwrap_or_else(|| format!("status {}", answer.status));
        let message = body.message.unwrap_or_else(|| "it gives no reason".to_owned());
        Err(Refused { status: answer.status, code, message }.into())
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(
        "no AWS credentials: {0}; of `aws sso login` run `eval \"$(aws configure \
         export-credentials --format env)\"` first"
    )]
    Credentials(String),
    #[error("could not sign the request; check the region and the endpoint's URL")]
    Request,
    #[error(transparent)]
    Try(TryError),
}

fn now() -> std::time::SystemTime {
    clock::now().into()
}

/// An error and its causes, on one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The endpoint that the environment or a profile sets (`AWS_ENDPOINT_URL_EKS`, `endpoint_url`), or
/// AWS's own.
fn endpoint(config: &SdkConfig, region: &str) -> String {
    let key = ServiceConfigKey::builder().service_id("EKS").env("AWS_ENDPOINT_URL");
    let key = key.profile("endpoint_url").build().ok();
    let set = config.service_config().zip(key).and_then(|(set, key)| set.load_config(key));
    let set = set.or_else(|| config.endpoint_url().map(str::to_owned));
    let (fips, dual) = (config.use_fips(), config.use_dual_stack());
    set.unwrap_or_else(|| standard(region, fips == Some(true), dual == Some(true)))
}

/// AWS's own endpoint. Source: the rules that AWS publishes with its SDKs.
fn standard(region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = Partition::of_region(region);
    match (fips, dual_stack) {
        (true, true) => format!("https://eks-fips.{region}.{}", partition.dual_stack_domain()),
        (false, true) => format!("https://eks.{region}.{}", partition.dual_stack_domain()),
        (true, false) if partition.as_str() == "aws" => {
            format!("https://fips.eks.{region}.{}", partition.domain())
        }
        // GovCloud's only endpoint is one of FIPS 140.
        (true, false) if partition.as_str() != "aws-us-gov" => {
            format!("https://eks-fips.{region}.{}", partition.domain())
        }
        (_, false) => format!("https://eks.{region}.{}", partition.domain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_awss_endpoint() {
        for (region, fips, dual_stack, url) in [
            ("eu-west-1", false, false, "https://eks.eu-west-1.amazonaws.com"),
            ("eu-west-1", false, true, "https://eks.eu-west-1.api.aws"),
            ("us-east-1", true, false, "https://fips.eks.us-east-1.amazonaws.com"),
            ("us-gov-west-1", true, false, "https://eks.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", false, false, "https://eks.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", false, false, "https://eks.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(standard(region, fips, dual_stack), url);
        }
    }
}
