//! Why a call failed.

use std::time::Duration;

use podrole_agent::exchange::EndpointError;

/// How long one answer may take, its last byte included.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(15);

/// An answer that is not 200.
#[derive(Debug, thiserror::Error)]
#[error("{service} refuses the call: {code}: {message}")]
pub(crate) struct AwsRefusal {
    pub(super) service: &'static str,
    pub(super) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl AwsRefusal {
    pub(super) fn is_throttled(&self) -> bool {
        self.status == 429 || self.code.contains("Throttl") || self.code.starts_with("TooMany")
    }
}

/// Why one try failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AwsTryError {
    #[error(transparent)]
    Refused(AwsRefusal),
    #[error("{0}")]
    Endpoint(EndpointError),
    #[error("{0} did not answer within {MOST} s", MOST = LONGEST_CALL.as_secs())]
    TooSlow(&'static str),
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AwsCallError {
    #[error(
        "no AWS credentials: {0}; of `aws sso login` run `eval \"$(aws configure \
         export-credentials --format env)\"` first"
    )]
    Credentials(String),
    #[error("could not sign the request; check the region and the endpoint's URL")]
    Request,
    #[error(transparent)]
    Try(AwsTryError),
}

impl AwsCallError {
    /// The code with which AWS refused the call.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Try(AwsTryError::Refused(refused)) => Some(&refused.code),
            _ => None,
        }
    }
}
