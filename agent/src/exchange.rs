//! A token in, credentials out: the one thing that needs AWS.
//!
//! ```text
//!   web_identity ─┐ the pod's token
//!   assume_role ──┼─ our own credentials (own) ──► sts ──► sts, for a target role
//!   eks_auth ─────┘ both ──► EKS Auth
//! ```
//!
//! Each way is a file under this one; STS's SDK is named in `sts` alone, and the chain of our own
//! credentials in `own`.

pub mod assume_role;
pub mod classify;
pub mod eks_auth;
mod eks_endpoint;
pub mod own;
mod retry;
mod signed;
pub mod sts;
pub mod web_identity;

use futures::future::BoxFuture;
use jiff::Timestamp;
pub use podrole_identity::RoleStep as Hop;
use podrole_identity::{Exchange as Kind, RoleArn, SessionName};

use crate::{secret::Secret, token::Caller};
pub use classify::{ErrorKind, classify};

/// What is asked of AWS: a session's name, and the roles to become one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionRequest {
    /// The session's name, as CloudTrail shows it. EKS Auth makes its own.
    pub session_name: SessionName,
    /// The roles, the last of which is served. None where EKS chooses.
    pub hops: Vec<Hop>,
    /// Session tags for the first role, all of them transitive.
    pub tags: Vec<Tag>,
}

/// A session tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// Its name, as trust policies spell it.
    pub key: &'static str,
    /// Its value.
    pub value: String,
}

/// What AWS gave.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The key's name; no secret.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// The session token that goes with the key.
    pub session_token: Secret,
    /// The role that they are of. AWS tells it without its path.
    pub role: RoleArn,
    /// What the session is called.
    pub session_name: String,
    /// When they end.
    pub expires: Timestamp,
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ExchangeError {
    /// Whose error it is.
    pub kind: ErrorKind,
    /// AWS's own code, or a word for what happened on the way.
    pub code: String,
    /// AWS's own text. For the log only: it may name other principals.
    pub message: String,
    /// Which of the session's roles it happened on the way to.
    pub hop: usize,
}

/// A way to get credentials for a token.
pub trait Exchange: Send + Sync + 'static {
    /// Which way this is.
    fn kind(&self) -> Kind;

    /// Whom it asks, endpoint and region: sessions from elsewhere are other sessions.
    fn place(&self) -> &str;

    /// Whether a token goes out with each question, so that without one nothing can be asked.
    fn sends_the_token(&self) -> bool {
        true
    }

    /// Asks once; ends within 15 s.
    ///
    /// # Errors
    /// With whose error it is.
    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        caller: &'a Caller,
        token: &'a Secret,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>>;
}

impl SessionRequest {
    /// The role that `hop` is on the way to.
    #[must_use]
    pub fn role(&self, hop: usize) -> Option<&RoleArn> {
        self.hops.get(hop).map(|hop| &hop.role)
    }
}

impl ExchangeError {
    /// An error whose texts are cut to what fits a log line and have no control characters.
    #[must_use]
    pub fn new(kind: ErrorKind, code: &str, message: &str) -> Self {
        let clean = |text: &str, most: usize| -> String {
            text.chars().filter(|c| !c.is_control()).take(most).collect()
        };
        Self { kind, code: clean(code, 64), message: clean(message, 512), hop: 0 }
    }

    /// The same, on the way to another role.
    #[must_use]
    pub fn at(self, hop: usize) -> Self {
        Self { hop, ..self }
    }

    /// AWS asks us to be slower.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        let code = self.code.as_str();
        code.starts_with("Throttling")
            || matches!(code, "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown")
    }
}
