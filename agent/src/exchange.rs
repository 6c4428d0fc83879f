//! A token in, credentials out: the one thing that needs AWS.
//!
//! Each way to do it is a file under this one, and the only one that names its SDK.

pub mod classify;
pub mod web_identity;

use futures::future::BoxFuture;
use jiff::Timestamp;
use podrole_identity::{AccountId, Exchange as Kind, RoleArn, SessionName};

use crate::secret::Secret;
pub use classify::{Fault, classify};

/// What is asked of AWS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionRequest {
    /// The role to become.
    pub role: RoleArn,
    /// The session's name, as CloudTrail shows it.
    pub session_name: SessionName,
    /// The session's life in seconds, 900 to 43200; AWS gives 3600 when nobody says.
    pub duration_seconds: Option<u32>,
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
    /// The role's account.
    pub account: AccountId,
    /// When they end.
    pub expires: Timestamp,
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ExchangeError {
    /// Whose fault it is.
    pub fault: Fault,
    /// AWS's own code, or a word for what happened on the way.
    pub code: String,
    /// AWS's own text. For the log only: it may name other principals.
    pub message: String,
}

/// A way to get credentials for a token.
pub trait Exchange: Send + Sync + 'static {
    /// Which way this is.
    fn kind(&self) -> Kind;

    /// Whom it asks, endpoint and region: sessions from elsewhere are other sessions.
    fn place(&self) -> &str;

    /// Asks once; ends within 15 s.
    ///
    /// # Errors
    /// With whose fault it is.
    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        token: &'a Secret,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>>;
}

impl ExchangeError {
    /// An error whose texts are cut to what fits a log line and have no control characters.
    #[must_use]
    pub fn new(fault: Fault, code: &str, message: &str) -> Self {
        let clean = |text: &str, most: usize| -> String {
            text.chars().filter(|c| !c.is_control()).take(most).collect()
        };
        Self { fault, code: clean(code, 64), message: clean(message, 512) }
    }
}
