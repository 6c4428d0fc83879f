//! STS, through its SDK, which only this file and `endpoint` name.

use std::{sync::Arc, time::Duration};

use aws_credential_types::{Credentials as Keys, provider::SharedCredentialsProvider};
use aws_sdk_sts::{
    Client,
    config::{
        BehaviorVersion, Builder, Config, IdentityCache, Region, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    types::{AssumedRoleUser, Credentials as StsCredentials, Tag as StsTag},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, context::BeforeDeserializationInterceptorContextRef, dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
    http::Response,
};
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;
use podrole_identity::{AssumedRoleArn, Exchange, SANDBOX_REASON_HEADER, SessionName};

pub use super::endpoint::Endpoint;
use super::{
    Credentials, EndpointError, ErrorKind, ExchangeError, Failure, RoleStep, SessionRequest, Tag,
    classify,
};
use crate::{
    aws_clock::AwsClock, bearer_token::BearerToken, http_client::HttpClients, secret::Secret,
};

/// AWS's limit for a session that is requested with a role's credentials (role chaining), in
/// seconds.
const CHAINED_SECONDS: u32 = 3600;

/// A client of one STS.
#[derive(Clone)]
pub struct Sts {
    client: Client,
    kind: Exchange,
    name: String,
    /// The endpoint's URL, as errors show it.
    url: Arc<str>,
    aws_clock: AwsClock,
}

/// Compares the node's clock with the header `Date` of each answer.
#[derive(Debug)]
struct ObserveDate(AwsClock);

#[dyn_dispatch_hint]
impl Intercept for ObserveDate {
    fn name(&self) -> &'static str {
        "ObserveDate"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.0.observe(date);
        }
        Ok(())
    }
}

impl Sts {
    /// A client of the STS at `endpoint`, whose errors are classified for the exchange `kind`.
    #[must_use]
    pub fn new(kind: Exchange, endpoint: &Endpoint, clients: &HttpClients) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .read_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(12))
            .build();
        // The pod waits at most 0.9 s: a short backoff leaves time for a second attempt.
        let retries = RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(Duration::from_secs(1));
        let aws_clock = clients.aws_clock();
        let config = at(Config::builder(), endpoint)
            .behavior_version(BehaviorVersion::latest())
            .allow_no_auth()
            .identity_cache(IdentityCache::no_cache())
            .http_client(clients.sdk_client())
            .timeout_config(timeouts)
            .retry_config(retries)
            .time_source(aws_clock.clone())
            .interceptor(ObserveDate(aws_clock.clone()));
        let shown = endpoint.sts_url();
        let url = endpoint.endpoint_url.as_deref().unwrap_or_default();
        let (fips, dual) = (endpoint.fips, endpoint.dual_stack);
        Self {
            client: Client::from_conf(config.build()),
            kind,
            name: format!("{} {url} fips={fips} dual-stack={dual}", endpoint.region),
            url: shown,
            aws_clock,
        }
    }

    /// The region and endpoint that it calls.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Assumes the step's role with a pod's token.
    pub(super) async fn with_token(
        &self,
        step: &RoleStep,
        name: &SessionName,
        token: &BearerToken,
    ) -> Result<Credentials, ExchangeError> {
        let ask = |duration: Option<u32>| {
            let call = self.client.assume_role_with_web_identity();
            let call = call
                .role_arn(step.role.as_str())
                .role_session_name(name.as_str())
                .web_identity_token(token.expose())
                .set_policy(step.policy.clone())
                .set_duration_seconds(seconds(duration));
            async move {
                let answer = call.send().await;
                let answer = answer.map_err(|error| self.read_error(&error, Some(token)))?;
                self.read(answer.credentials, answer.assumed_role_user.as_ref(), step, name)
            }
        };
        super::retry::with_default_duration(step, step.duration_seconds, ask).await
    }

    /// Assumes the step's role, signed with `keys`.
    pub(super) async fn with_keys(
        &self,
        step: &RoleStep,
        name: &SessionName,
        tags: &[Tag],
        keys: &Keys,
    ) -> Result<Credentials, ExchangeError> {
        let signed = SharedCredentialsProvider::new(keys.clone());
        let ask = |duration: Option<u32>| {
            let call = self.client.assume_role();
            let call = call
                .role_arn(step.role.as_str())
                .role_session_name(name.as_str())
                .set_external_id(step.external_id.clone())
                .set_policy(step.policy.clone())
                .set_tags(sts_tags(tags))
                .set_transitive_tag_keys(transitive(tags))
                .set_duration_seconds(seconds(duration));
            let keys = Config::builder().credentials_provider(signed.clone());
            let call = call.customize().config_override(keys);
            async move {
                let answer = call.send().await;
                let answer = answer.map_err(|error| self.read_error(&error, None))?;
                self.read(answer.credentials, answer.assumed_role_user.as_ref(), step, name)
            }
        };
        let duration = allowed(step.duration_seconds, keys.session_token().is_some());
        super::retry::with_default_duration(step, duration, ask).await
    }

    /// The credentials, with their end by the node's clock.
    fn read(
        &self,
        issued: Option<StsCredentials>,
        user: Option<&AssumedRoleUser>,
        step: &RoleStep,
        name: &SessionName,
    ) -> Result<Credentials, ExchangeError> {
        let read = read(issued, user, step, name)?;
        Ok(Credentials { expires: self.aws_clock.by_the_node(read.expires), ..read })
    }

    fn read_error<E: ProvideErrorMetadata>(
        &self,
        error: &SdkError<E, Response>,
        token: Option<&BearerToken>,
    ) -> ExchangeError {
        read_error(self.kind, &self.url, error, token).with_skew(self.aws_clock.ahead())
    }

    /// Assumes the remaining roles, starting from the first one's credentials. If a step fails, the
    /// credentials of the steps before it are discarded.
    pub(super) async fn chain(
        &self,
        session: &SessionRequest,
        first: Credentials,
    ) -> Result<Credentials, ExchangeError> {
        let mut current = first;
        for (index, step) in session.steps.iter().enumerate().skip(1) {
            let keys = Keys::new(
                &current.access_key_id,
                current.secret_access_key.expose(),
                Some(current.session_token.expose().to_owned()),
                None,
                "podrole",
            );
            let next = self.with_keys(step, &session.session_name, &[], &keys).await;
            current = next.map_err(|error| chained_error(error).at(index))?;
        }
        Ok(current)
    }
}

/// An error at a later step. Its call was signed with credentials that AWS issued a moment ago, so
/// it is not about the agent's own.
fn chained_error(error: ExchangeError) -> ExchangeError {
    let kind = if error.kind == ErrorKind::Agent { ErrorKind::Transient } else { error.kind };
    ExchangeError { kind, ..error }
}

fn at(config: Builder, endpoint: &Endpoint) -> Builder {
    let mut config = config.region(Region::new(endpoint.region.clone()));
    config.set_endpoint_url(endpoint.endpoint_url.clone());
    config.set_use_fips(Some(endpoint.fips));
    config.set_use_dual_stack(Some(endpoint.dual_stack));
    config
}

fn allowed(wanted: Option<u32>, temporary: bool) -> Option<u32> {
    let most = if temporary { CHAINED_SECONDS } else { u32::MAX };
    wanted.map(|wanted| wanted.min(most))
}

fn seconds(duration: Option<u32>) -> Option<i32> {
    duration.and_then(|seconds| i32::try_from(seconds).ok())
}

fn sts_tags(tags: &[Tag]) -> Option<Vec<StsTag>> {
    let tags = tags.iter().map(|tag| StsTag::builder().key(tag.key).value(&tag.value).build());
    // Building fails only without a key or a value, and all have both.
    let tags: Vec<_> = tags.filter_map(Result::ok).collect();
    (!tags.is_empty()).then_some(tags)
}

fn transitive(tags: &[Tag]) -> Option<Vec<String>> {
    (!tags.is_empty()).then(|| tags.iter().map(|tag| tag.key.to_owned()).collect())
}

fn read(
    issued: Option<StsCredentials>,
    user: Option<&AssumedRoleUser>,
    step: &RoleStep,
    name: &SessionName,
) -> Result<Credentials, ExchangeError> {
    let unusable =
        || ExchangeError::transient("UnreadableAnswer", "STS returned no usable credentials");
    let issued = issued.ok_or_else(unusable)?;
    let empty = [&issued.access_key_id, &issued.secret_access_key, &issued.session_token];
    if empty.iter().any(|part| part.is_empty()) || !is_of(user, step) {
        return Err(unusable());
    }
    let expires = expiry(&issued).ok_or_else(unusable)?;
    Ok(Credentials {
        access_key_id: issued.access_key_id,
        secret_access_key: Secret::new(issued.secret_access_key),
        session_token: Secret::new(issued.session_token),
        role: step.role.clone(),
        session_name: name.to_string(),
        expires,
    })
}

/// When they expire. The SDK turns a missing expiration into 1970.
fn expiry(issued: &StsCredentials) -> Option<Timestamp> {
    let expiry = Timestamp::from_second(issued.expiration.secs()).ok()?;
    (expiry > Timestamp::UNIX_EPOCH).then_some(expiry)
}

/// Whether the response is about the step's role, if it says which role it is about.
fn is_of(user: Option<&AssumedRoleUser>, step: &RoleStep) -> bool {
    let Some(user) = user else {
        return true;
    };
    let role = (step.role.partition(), step.role.account(), step.role.name());
    AssumedRoleArn::parse(user.arn())
        .is_some_and(|arn| (arn.partition, arn.aws_account, arn.role) == role)
}

fn read_error<E: ProvideErrorMetadata>(
    kind: Exchange,
    url: &Arc<str>,
    error: &SdkError<E, Response>,
    token: Option<&BearerToken>,
) -> ExchangeError {
    let unreachable = |what| ExchangeError::unreachable(&EndpointError::new(url, what));
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            let message = answer.err().message().unwrap_or_default();
            let error = classify(kind, status, code, message);
            // An endpoint that echoes the request must not bring the token into the log.
            let redact =
                |text: &str| token.map_or_else(|| text.to_owned(), |token| token.redact(text));
            let error = ExchangeError::new(error, &redact(code), &redact(message));
            match answer.raw().headers().get(SANDBOX_REASON_HEADER) {
                Some(reason) => error.with_reason(&redact(reason)),
                None => error.with_status(url, status),
            }
        }
        SdkError::ConstructionFailure(_) => {
            let message = "could not build the request; check --region and --sts-endpoint-url";
            ExchangeError::new(ErrorKind::Agent, "BadRequestSettings", message)
        }
        SdkError::TimeoutError(_) => unreachable((Failure::TimedOut, false)),
        SdkError::DispatchFailure(error) => unreachable(
            error.as_connector_error().map_or((Failure::Other, false), |it| Failure::of(it)),
        ),
        _ => unreachable((Failure::Unreadable, false)),
    }
}

#[cfg(test)]
mod tests;
