//! Errors of STS, in AWS's words. SDKs act on code and status.

use podrole_identity::RoleArn;

use super::{caller::Caller, parameter_error::ParameterError, session_tags::SessionTagError};
use crate::{
    cluster_state::ClusterStateError, random::NoRandom, signature::authorization::SignatureError,
    token::TokenError,
};

/// An error. Its text goes to the caller, and `reason` to the decision log.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StsError {
    #[error("The request must contain the parameter Action")]
    MissingAction,
    #[error("Could not find operation {0} for version 2011-06-15")]
    UnknownAction(String),
    #[error("The request is larger than this service takes")]
    TooLarge,
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The message is the same for a missing role and for a denied one, so that a caller does not learn which
    /// roles exist.
    #[error("{message}")]
    AccessDenied { message: String, reason: String },
    #[error("Cannot call GetSessionToken with session credentials")]
    NotWithSessionCredentials,
    #[error("MultiFactorAuthentication failed with invalid MFA one time pass code. ")]
    Mfa,
    #[error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")]
    TooLong { requested: u32, allowed: u32 },
    #[error(
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    )]
    TooLongForAChain { requested: u32 },
    #[error("Packed policy consumes {0}% of allotted space, please use smaller policy.")]
    Packed(usize),
    #[error(transparent)]
    SessionTag(#[from] SessionTagError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    #[error("The response could not be written")]
    Unwritable,
    /// A role of `--auto-roles` could not be saved.
    #[error("The request has failed due to a temporary failure of the server.")]
    Unsaved(#[from] ClusterStateError),
}

impl StsError {
    /// The denial of `action` on a role.
    pub(crate) fn denied(caller: &Caller, action: &str, role: &RoleArn, reason: &str) -> Self {
        let message = match caller.identity() {
            None => format!("Not authorized to perform {action}"),
            Some(identity) => {
                let arn = &identity.arn;
                format!("User: {arn} is not authorized to perform: {action} on resource: {role}")
            }
        };
        Self::AccessDenied { message, reason: format!("{action}: {reason}") }
    }

    /// AWS's code and HTTP status.
    pub(crate) fn code(&self) -> (&'static str, u16) {
        match self {
            Self::MissingAction => ("MissingAction", 400),
            Self::UnknownAction(_) => ("InvalidAction", 400),
            Self::TooLarge => ("RequestEntityTooLarge", 413),
            Self::Parameter(ParameterError::Policy(_)) => ("MalformedPolicyDocument", 400),
            Self::Parameter(_) | Self::TooLong { .. } | Self::TooLongForAChain { .. } => {
                ("ValidationError", 400)
            }
            Self::SessionTag(error) => (error.code(), 400),
            Self::Packed(_) => ("PackedPolicyTooLarge", 400),
            Self::Token(TokenError::Expired { .. }) => ("ExpiredTokenException", 400),
            Self::Token(TokenError::Unreachable(_)) => ("IDPCommunicationError", 400),
            Self::Token(_) => ("InvalidIdentityToken", 400),
            Self::AccessDenied { .. } | Self::NotWithSessionCredentials | Self::Mfa => {
                ("AccessDenied", 403)
            }
            Self::Signature(error) => error.code(),
            Self::NoRandom(_) | Self::Unwritable => ("InternalFailure", 500),
            Self::Unsaved(_) => ("ServiceUnavailable", 503),
        }
    }

    /// The reason for the decision log, which the caller does not see.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Token(error) => error.detail(),
            Self::AccessDenied { reason, .. } => reason.clone(),
            Self::TooLong { requested, allowed } => {
                format!("{requested} s were requested; the role allows {allowed} s")
            }
            Self::TooLongForAChain { requested } => {
                format!("{requested} s were requested; role chaining allows 3600 s")
            }
            Self::Parameter(ParameterError::Policy(error)) => error.clone(),
            Self::Mfa => "no MFA device is registered here".to_owned(),
            Self::Signature(error) => error.detail(),
            Self::Unsaved(error) => error.to_string(),
            other => other.to_string(),
        }
    }
}
