//! Exchanges a pod's token for AWS credentials: the one thing that needs AWS.
//!
//! ```text
//!   web_identity ─┐ the pod's token
//!   assume_role ──┼─ source_credentials ──► sts ──► sts, for a target role
//!   eks_auth ─────┘ both ──► EKS Auth
//! ```
//!
//! Each exchange is a file under this one. Only `sts` and `endpoint` name STS's SDK, and only
//! `source_credentials` the SDK's chain of providers.

pub mod assume_role;
pub mod classify;
pub mod eks_auth;
mod eks_endpoint;
mod endpoint;
pub mod endpoint_error;
mod retry;
pub mod source_credentials;
pub mod sts;
pub mod web_identity;

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
pub use podrole_identity::RoleStep;
use podrole_identity::{Exchange, RoleArn, SessionName};

use crate::{aws_clock::describe, bearer_token::BearerToken, secret::Secret, token::Caller};
pub use classify::{ErrorKind, classify};
pub use endpoint_error::{EndpointError, Failure};

/// The code of an error about the time of a request.
pub(crate) const CLOCK_SKEW: &str = "ClockSkew";

/// A session to ask AWS for: its name, and the roles to assume one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionRequest {
    /// The session's name, as CloudTrail shows it. EKS Auth chooses its own.
    pub session_name: SessionName,
    /// The roles in order; the last one's credentials are served. Empty if EKS chooses the role.
    pub steps: Vec<RoleStep>,
    /// Session tags for the first role, all of them transitive.
    pub tags: Vec<Tag>,
}

/// A session tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// Its key, as trust policies spell it.
    pub key: &'static str,
    /// Its value.
    pub value: String,
}

/// Temporary credentials as AWS issued them.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The key's ID, which is not secret.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// The session token that belongs to the key.
    pub session_token: Secret,
    /// The assumed role. EKS Auth returns it without its path.
    pub role: RoleArn,
    /// The session's name.
    pub session_name: String,
    /// When they expire.
    pub expires: Timestamp,
}

/// Why AWS issued no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ExchangeError {
    /// What has to change before the exchange can succeed.
    pub kind: ErrorKind,
    /// AWS's error code, or podrole's own where AWS did not answer.
    pub code: String,
    /// AWS's message. For the log only: it may name other principals.
    pub message: String,
    /// The index in [`SessionRequest::steps`] of the step that failed.
    pub step: usize,
    /// What more is known, and may be shown to the pod's owner.
    pub detail: Option<Detail>,
}

/// What is known of an error beside AWS's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The endpoint, and what happened there.
    Endpoint(EndpointError),
    /// The reason of podrole-sandbox, which AWS would not give.
    Sandbox(String),
}

/// A client for one of the exchanges.
pub trait ExchangeClient: Send + Sync + 'static {
    /// Which exchange it performs.
    fn kind(&self) -> Exchange;

    /// The endpoint and region that it asks. Credentials of one endpoint are never served for
    /// another.
    fn endpoint(&self) -> &str;

    /// Whether the pod's token is sent to AWS, so that nothing can be fetched without one.
    fn sends_the_token(&self) -> bool {
        true
    }

    /// Fetches credentials; callers allow it 15 s.
    ///
    /// # Errors
    /// If AWS refuses or cannot be reached.
    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        caller: &'a Caller,
        token: &'a BearerToken,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>>;
}

impl SessionRequest {
    /// The role of the step at this index.
    #[must_use]
    pub fn role(&self, step: usize) -> Option<&RoleArn> {
        self.steps.get(step).map(|step| &step.role)
    }
}

impl ExchangeError {
    /// An error whose texts are cut to fit a log line and contain no control characters.
    #[must_use]
    pub fn new(kind: ErrorKind, code: &str, message: &str) -> Self {
        let clean = |text: &str, most: usize| -> String {
            text.chars().filter(|c| !c.is_control()).take(most).collect()
        };
        Self { kind, code: clean(code, 64), message: clean(message, 512), step: 0, detail: None }
    }

    /// No answer of AWS: it may pass by itself.
    #[must_use]
    pub fn unreachable(error: &EndpointError) -> Self {
        let code = error.failure.code();
        Self {
            detail: Some(Detail::Endpoint(error.clone())),
            ..Self::transient(code, &error.to_string())
        }
    }

    /// The same error; if the answer's status says that the service has a problem, with the endpoint.
    #[must_use]
    pub(crate) fn with_status(self, endpoint: &Arc<str>, status: u16) -> Self {
        if status < 500 {
            return self;
        }
        let error = EndpointError::new(endpoint, (Failure::Status(status), false));
        Self { detail: Some(Detail::Endpoint(error)), ..self }
    }

    /// The same error, with the reason that podrole-sandbox gives for it.
    #[must_use]
    pub fn with_reason(self, reason: &str) -> Self {
        let reason = Self::transient("", reason).message;
        Self { detail: Some(Detail::Sandbox(reason)), ..self }
    }

    /// The endpoint that gave no answer of AWS, if that is the error.
    #[must_use]
    pub fn endpoint(&self) -> Option<&EndpointError> {
        match &self.detail {
            Some(Detail::Endpoint(error)) => Some(error),
            _ => None,
        }
    }

    /// An error that may pass by itself.
    #[must_use]
    pub fn transient(code: &str, message: &str) -> Self {
        Self::new(ErrorKind::Transient, code, message)
    }

    /// The same error; if AWS rejected the time of a signature, with the difference of the clocks.
    /// It passes by itself: the next signature has AWS's time.
    #[must_use]
    pub(crate) fn with_skew(self, ahead: SignedDuration) -> Self {
        if !classify::is_about_time(&self.code, &self.message) {
            return self;
        }
        Self { step: self.step, ..Self::transient(CLOCK_SKEW, &describe(ahead)) }
    }

    /// The same error, at the step of this index.
    #[must_use]
    pub fn at(self, step: usize) -> Self {
        Self { step, ..self }
    }

    /// Whether AWS asks for fewer requests.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        let code = self.code.as_str();
        code.starts_with("Throttling")
            || matches!(code, "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown")
    }
}
