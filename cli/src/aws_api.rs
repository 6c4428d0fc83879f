//! Calls of AWS's APIs that no SDK of this program makes, signed with the credentials that the AWS CLI
//! would use. SDKs for a few calls would add minutes to a build.

mod endpoint;
mod error;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::BehaviorVersion;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_types::SdkConfig;
use podrole_agent::{
    exchange::EndpointError,
    http_client::{self, HttpClients, RawResponse},
};
use podrole_runtime::clock;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

pub(crate) use endpoint::set_endpoint;
use error::LONGEST_CALL;
pub(crate) use error::{AwsCallError, AwsRefusal, AwsTryError};

/// Tries of a call that AWS throttles, each after twice the pause: 1 s, then 2 s, at most 20 s.
const THROTTLED_TRIES: u32 = 10;
const LONGEST_PAUSE: u32 = 20;
/// Tries of a call that fails for another reason that may pass.
const TRIES: u32 = 4;
/// The first pause after a failed call.
const PAUSE: Duration = Duration::from_secs(1);
/// Credentials are loaded again so long before they expire.
const AHEAD: Duration = Duration::from_secs(300);

/// The environment's settings for AWS.
pub(crate) struct AwsEnvironment {
    pub(crate) config: SdkConfig,
    pub(crate) region: String,
    pub(crate) provider: SharedCredentialsProvider,
    clients: HttpClients,
}

/// A service of AWS and how it reports errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AwsService {
    /// Its name in sentences.
    pub(crate) title: &'static str,
    /// Its name in signatures.
    pub(crate) signing_name: &'static str,
    /// Reads the code and the message of an error.
    pub(crate) read_error: fn(&RawResponse) -> (Option<String>, Option<String>),
}

/// A client of one service in one region.
pub(crate) struct AwsApi {
    service: AwsService,
    url: Arc<str>,
    region: String,
    provider: SharedCredentialsProvider,
    keys: Mutex<Option<Credentials>>,
    connector: Connector,
    pause: Duration,
}

/// A request to a service.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AwsCall<'a> {
    /// Gets a path.
    Get(&'a str),
    /// Posts a form to the root, as the query protocol does.
    Form(&'a str),
    /// Puts an object at a path.
    Put { path: &'a str, headers: &'a [(&'static str, &'static str)], body: &'a str },
}

impl AwsEnvironment {
    /// What the environment and the files of the AWS CLI describe.
    ///
    /// # Errors
    /// If no region or no credentials are configured, or `AWS_CA_BUNDLE` cannot be read.
    pub(crate) async fn load() -> anyhow::Result<Self> {
        let bundle = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
        let clients = HttpClients::with_bundle(bundle.map(PathBuf::from).as_deref())?;
        let config = aws_config::defaults(BehaviorVersion::latest());
        let config = config.http_client(clients.sdk_client()).load().await;
        let region = config.region().map(ToString::to_string);
        let region = region
            .context("no AWS region is configured; set AWS_REGION, or region in ~/.aws/config")?;
        let provider =
            config.credentials_provider().context("no AWS credentials are configured")?;
        Ok(Self { config, region, provider, clients })
    }

    /// A client of a service at a URL.
    pub(crate) fn api(&self, service: AwsService, url: &str, region: &str) -> AwsApi {
        let (provider, connector) = (self.provider.clone(), self.clients.connector());
        AwsApi::at(service, url, region, provider, connector, PAUSE)
    }
}

impl AwsService {
    /// S3 takes the body's hash from a header, and paths as they are.
    fn signing_settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.signing_name == "s3" {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        settings
    }
}

impl AwsApi {
    /// A client of the service at this URL.
    pub(crate) fn at(
        service: AwsService,
        url: &str,
        region: &str,
        provider: SharedCredentialsProvider,
        connector: Connector,
        pause: Duration,
    ) -> Self {
        let (url, region) = (url.trim_end_matches('/').into(), region.to_owned());
        Self { service, url, region, provider, keys: Mutex::default(), connector, pause }
    }

    /// Makes a call, again and again while that may help, and returns the body of the answer.
    pub(crate) async fn call(&self, call: AwsCall<'_>) -> Result<Vec<u8>, AwsCallError> {
        Ok(self.answer(call).await?.body)
    }

    /// Makes a call, again and again while that may help. The answer's status is 200.
    pub(crate) async fn answer(&self, call: AwsCall<'_>) -> Result<RawResponse, AwsCallError> {
        let (mut tries, mut pause) = (1, self.pause);
        loop {
            let keys = self.keys().await?;
            let request = self.request(call, &keys).ok_or(AwsCallError::Request)?;
            let error = match self.send(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let most = match &error {
                AwsTryError::Refused(refused) if refused.is_throttled() => THROTTLED_TRIES,
                AwsTryError::Refused(refused) if refused.status < 500 => 1,
                _ => TRIES,
            };
            if tries >= most {
                return Err(AwsCallError::Try(error));
            }
            sleep(pause).await;
            (tries, pause) = (tries + 1, (pause * 2).min(self.pause * LONGEST_PAUSE));
        }
    }

    async fn keys(&self) -> Result<Credentials, AwsCallError> {
        let mut keys = self.keys.lock().await;
        let fresh = |keys: &&Credentials| keys.expiry().is_none_or(|end| end > now() + AHEAD);
        if let Some(keys) = keys.as_ref().filter(fresh) {
            return Ok(keys.clone());
        }
        let loaded = self.provider.provide_credentials().await;
        let loaded = loaded.map_err(|error| AwsCallError::Credentials(causes(&error)))?;
        *keys = Some(loaded.clone());
        Ok(loaded)
    }

    /// The signed request.
    fn request(&self, call: AwsCall<'_>, keys: &Credentials) -> Option<HttpRequest> {
        let (method, path, body, headers) = match call {
            AwsCall::Get(path) => ("GET", path, "", &[][..]),
            AwsCall::Form(form) => ("POST", "/", form, &[CONTENT_TYPE][..]),
            AwsCall::Put { path, headers, body } => ("PUT", path, body, headers),
        };
        let url = format!("{}{path}", self.url);
        let identity = keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service.signing_name)
            .time(now())
            .settings(self.service.signing_settings())
            .build()
            .ok()?
            .into();
        let signed = headers.iter().copied();
        let signable =
            SignableRequest::new(method, &url, signed, SignableBody::Bytes(body.as_bytes()));
        let (signing, _) = sign(signable.ok()?, &params).ok()?.into_parts();
        let mut request = http::Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.as_bytes().to_vec().into()).ok()?;
        signing.apply_to_request_http1x(&mut request);
        request.try_into().ok()
    }

    async fn send(&self, request: HttpRequest) -> Result<RawResponse, AwsTryError> {
        let answer = timeout(LONGEST_CALL, http_client::send(&self.connector, request)).await;
        let answer = answer.map_err(|_| AwsTryError::TooSlow(self.service.title))?;
        let answer =
            answer.map_err(|what| AwsTryError::Endpoint(EndpointError::new(&self.url, what)))?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let (code, message) = (self.service.read_error)(&answer);
        Err(AwsTryError::Refused(AwsRefusal {
            service: self.service.title,
            status: answer.status,
            code: code.unwrap_or_else(|| format!("status {}", answer.status)),
            message: message.unwrap_or_else(|| "it gives no reason".to_owned()),
        }))
    }
}

const CONTENT_TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn now() -> std::time::SystemTime {
    clock::now().into()
}

/// An error and its causes, on one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
