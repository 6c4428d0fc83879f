//! STS, by its own SDK: the one file that names it.

use std::time::Duration;

use aws_credential_types::{Credentials as Keys, provider::SharedCredentialsProvider};
use aws_sdk_sts::{
    Client,
    config::{
        BehaviorVersion, Builder, Config, IdentityCache, Region, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    types::{AssumedRoleUser, Credentials as Given, Tag as StsTag},
};
use aws_smithy_runtime_api::http::Response;
use jiff::Timestamp;
use podrole_identity::{Exchange as Kind, SessionName};

use super::{Credentials, ErrorKind, ExchangeError, Hop, SessionRequest, Tag, classify};
use crate::{http_client::HttpClients, secret::Secret};

/// What AWS allows on a hop that is signed with a role's credentials, a minute less for a target.
const CHAINED_SECONDS: u32 = 3600;

/// Which STS, and the way there.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The region.
    pub region: String,
    /// Another STS than the region's.
    pub endpoint_url: Option<String>,
    /// The endpoint with FIPS 140 cryptography.
    pub fips: bool,
    /// The endpoint that has IPv6 too.
    pub dual_stack: bool,
}

/// An STS.
#[derive(Clone)]
pub struct Sts {
    client: Client,
    kind: Kind,
    name: String,
}

impl Sts {
    /// The STS at `place`, on behalf of the exchange `kind`.
    #[must_use]
    pub fn new(kind: Kind, place: &Place, clients: &HttpClients) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .read_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(12))
            .build();
        // Quick, because the pod waits: within its 0.8 s a second try has come back, mostly.
        let retries = RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(Duration::from_secs(1));
        let config = at(Config::builder(), place)
            .behavior_version(BehaviorVersion::latest())
            .allow_no_auth()
            .identity_cache(IdentityCache::no_cache())
            .http_client(clients.sdk_client())
            .timeout_config(timeouts)
            .retry_config(retries);
        let endpoint = place.endpoint_url.as_deref().unwrap_or_default();
        let (fips, dual) = (place.fips, place.dual_stack);
        Self {
            client: Client::from_conf(config.build()),
            kind,
            name: format!("{} {endpoint} fips={fips} dual-stack={dual}", place.region),
        }
    }

    /// Whom it asks.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Becomes `hop`'s role with a web-identity token.
    pub(super) async fn with_token(
        &self,
        hop: &Hop,
        name: &SessionName,
        token: &Secret,
    ) -> Result<Credentials, ExchangeError> {
        let ask = |duration: Option<u32>| {
            let call = self.client.assume_role_with_web_identity();
            let call = call
                .role_arn(hop.role.as_str())
                .role_session_name(name.as_str())
                .web_identity_token(token.expose())
                .set_policy(hop.policy.clone())
                .set_duration_seconds(seconds(duration));
            async move {
                let answer = call.send().await;
                let answer = answer.map_err(|error| read_error(self.kind, &error, Some(token)))?;
                read(answer.credentials, answer.assumed_role_user.as_ref(), hop, name)
            }
        };
        super::retry::once_at_an_hour(hop, hop.duration_seconds, ask).await
    }

    /// Becomes `hop`'s role, signed with `keys`.
    pub(super) async fn with_keys(
        &self,
        hop: &Hop,
        name: &SessionName,
        tags: &[Tag],
        keys: &Keys,
    ) -> Result<Credentials, ExchangeError> {
        let signed = SharedCredentialsProvider::new(keys.clone());
        let ask = |duration: Option<u32>| {
            let call = self.client.assume_role();
            let call = call
                .role_arn(hop.role.as_str())
                .role_session_name(name.as_str())
                .set_external_id(hop.external_id.clone())
                .set_policy(hop.policy.clone())
                .set_tags(sts_tags(tags))
                .set_transitive_tag_keys(transitive(tags))
                .set_duration_seconds(seconds(duration));
            let keys = Config::builder().credentials_provider(signed.clone());
            let call = call.customize().config_override(keys);
            async move {
                let answer = call.send().await;
                let answer = answer.map_err(|error| read_error(self.kind, &error, None))?;
                read(answer.credentials, answer.assumed_role_user.as_ref(), hop, name)
            }
        };
        let duration = allowed(hop.duration_seconds, keys.session_token().is_some());
        super::retry::once_at_an_hour(hop, duration, ask).await
    }

    /// Goes on from the first role's credentials to the others. What is on the way stays here: if
    /// one fails, there are none.
    pub(super) async fn chain(
        &self,
        session: &SessionRequest,
        first: Credentials,
    ) -> Result<Credentials, ExchangeError> {
        let mut current = first;
        for (place, hop) in session.hops.iter().enumerate().skip(1) {
            let keys = Keys::new(
                &current.access_key_id,
                current.secret_access_key.expose(),
                Some(current.session_token.expose().to_owned()),
                None,
                "podrole",
            );
            let next = self.with_keys(hop, &session.session_name, &[], &keys).await;
            current = next.map_err(|error| on_the_way(error).at(place))?;
        }
        Ok(current)
    }
}

/// The credentials of the way are AWS's own and a moment old: they are never the error of ours.
fn on_the_way(error: ExchangeError) -> ExchangeError {
    let kind = if error.kind == ErrorKind::Ours { ErrorKind::Transient } else { error.kind };
    ExchangeError { kind, ..error }
}

fn at(config: Builder, place: &Place) -> Builder {
    let mut config = config.region(Region::new(place.region.clone()));
    config.set_endpoint_url(place.endpoint_url.clone());
    config.set_use_fips(Some(place.fips));
    config.set_use_dual_stack(Some(place.dual_stack));
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
    // All have both parts, so none is lost.
    let tags: Vec<_> = tags.filter_map(Result::ok).collect();
    (!tags.is_empty()).then_some(tags)
}

fn transitive(tags: &[Tag]) -> Option<Vec<String>> {
    (!tags.is_empty()).then(|| tags.iter().map(|tag| tag.key.to_owned()).collect())
}

fn read(
    given: Option<Given>,
    user: Option<&AssumedRoleUser>,
    hop: &Hop,
    name: &SessionName,
) -> Result<Credentials, ExchangeError> {
    let unusable = || {
        let message = "STS answered without usable credentials";
        ExchangeError::new(ErrorKind::Transient, "UnreadableAnswer", message)
    };
    let given = given.ok_or_else(unusable)?;
    let empty = [&given.access_key_id, &given.secret_access_key, &given.session_token];
    if empty.iter().any(|part| part.is_empty()) || !is_of(user, hop) {
        return Err(unusable());
    }
    let expires = ends(&given).ok_or_else(unusable)?;
    Ok(Credentials {
        access_key_id: given.access_key_id,
        secret_access_key: Secret::new(given.secret_access_key),
        session_token: Secret::new(given.session_token),
        role: hop.role.clone(),
        session_name: name.to_string(),
        expires,
    })
}

/// When they end; the SDK makes 1970 of an answer that does not say it.
fn ends(given: &Given) -> Option<Timestamp> {
    let ends = Timestamp::from_second(given.expiration.secs()).ok()?;
    (ends > Timestamp::UNIX_EPOCH).then_some(ends)
}

/// Whether the answer, where it says whose credentials it holds, names the role that was asked for.
fn is_of(user: Option<&AssumedRoleUser>, hop: &Hop) -> bool {
    let Some(user) = user else {
        return true;
    };
    let role = signed_role(user.arn());
    role.is_some_and(|(partition, account, name)| {
        (partition, account, name) == (hop.role.partition(), hop.role.account(), hop.role.name())
    })
}

fn signed_role(arn: &str) -> Option<(&str, &str, &str)> {
    super::signed::parts(arn).map(|parts| (parts.partition, parts.account, parts.role))
}

fn read_error<E: ProvideErrorMetadata>(
    kind: Kind,
    error: &SdkError<E, Response>,
    token: Option<&Secret>,
) -> ExchangeError {
    let transient =
        |code| ExchangeError::new(ErrorKind::Transient, code, "STS gave no usable answer");
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            let message = answer.err().message().unwrap_or_default();
            let error = classify(kind, status, code, message);
            // An endpoint that echoes what it was sent must not bring the token into the log.
            let message = match token {
                Some(token) => message.replace(token.expose(), "<token>"),
                None => message.to_owned(),
            };
            ExchangeError::new(error, code, &message)
        }
        SdkError::ConstructionFailure(_) => {
            let message = "the request could not be made; check --region and --sts-endpoint-url";
            ExchangeError::new(ErrorKind::Ours, "BadRequestSettings", message)
        }
        SdkError::TimeoutError(_) => transient("Timeout"),
        SdkError::DispatchFailure(error) => {
            transient(if error.is_timeout() { "Timeout" } else { "Unreachable" })
        }
        _ => transient("UnreadableAnswer"),
    }
}

#[cfg(test)]
mod tests;
