//! AssumeRoleWithWebIdentity with the pod's own token: the agent needs no credentials at all.

use std::time::Duration;

use aws_sdk_sts::{
    Client,
    config::{BehaviorVersion, Config, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata as _, SdkError},
    operation::assume_role_with_web_identity::{
        AssumeRoleWithWebIdentityError, AssumeRoleWithWebIdentityOutput,
    },
};
use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use podrole_identity::Exchange as Kind;

use super::{Credentials, Exchange, ExchangeError, Fault, SessionRequest, classify};
use crate::{outbound, secret::Secret};

/// STS, asked with web-identity tokens.
pub struct WebIdentity {
    client: Client,
    place: String,
}

impl WebIdentity {
    /// Asks the STS of `region`, or the one at `endpoint_url`.
    #[must_use]
    pub fn new(region: &str, endpoint_url: Option<&str>) -> Self {
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
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .allow_no_auth()
            .http_client(outbound::sdk_client())
            .timeout_config(timeouts)
            .retry_config(retries);
        config.set_endpoint_url(endpoint_url.map(str::to_owned));
        Self {
            client: Client::from_conf(config.build()),
            place: format!("{region} {}", endpoint_url.unwrap_or_default()),
        }
    }

    async fn ask(
        &self,
        session: &SessionRequest,
        token: &Secret,
    ) -> Result<Credentials, ExchangeError> {
        let duration = session.duration_seconds;
        let answer = self
            .client
            .assume_role_with_web_identity()
            .role_arn(session.role.as_str())
            .role_session_name(session.session_name.as_str())
            .web_identity_token(token.expose())
            .set_duration_seconds(duration.and_then(|seconds| i32::try_from(seconds).ok()))
            .send()
            .await
            .map_err(|fault| read_error(&fault, token))?;
        read(answer, session).ok_or_else(|| {
            let message = "STS answered without usable credentials";
            ExchangeError::new(Fault::Transient, "UnreadableAnswer", message)
        })
    }
}

impl Exchange for WebIdentity {
    fn kind(&self) -> Kind {
        Kind::WebIdentity
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        token: &'a Secret,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        self.ask(session, token).boxed()
    }
}

fn read(answer: AssumeRoleWithWebIdentityOutput, session: &SessionRequest) -> Option<Credentials> {
    let given = answer.credentials?;
    if given.access_key_id.is_empty() || given.secret_access_key.is_empty() {
        return None;
    }
    Some(Credentials {
        access_key_id: given.access_key_id,
        secret_access_key: Secret::new(given.secret_access_key),
        session_token: Secret::new(given.session_token),
        account: session.role.account().parse().ok()?,
        expires: Timestamp::from_second(given.expiration.secs()).ok()?,
    })
}

type Failed = SdkError<AssumeRoleWithWebIdentityError>;

fn read_error(fault: &Failed, token: &Secret) -> ExchangeError {
    let transient = |code| ExchangeError::new(Fault::Transient, code, "STS gave no usable answer");
    match fault {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            let message = answer.err().message().unwrap_or_default();
            let fault = classify(Kind::WebIdentity, status, code, message);
            // An endpoint that echoes what it was sent must not bring the token into the log.
            ExchangeError::new(fault, code, &message.replace(token.expose(), "<token>"))
        }
        SdkError::ConstructionFailure(_) => {
            let message = "the request could not be made; check --region and --sts-endpoint-url";
            ExchangeError::new(Fault::Ours, "BadRequestSettings", message)
        }
        SdkError::TimeoutError(_) => transient("Timeout"),
        SdkError::DispatchFailure(_) => transient("Unreachable"),
        _ => transient("UnreadableAnswer"),
    }
}
