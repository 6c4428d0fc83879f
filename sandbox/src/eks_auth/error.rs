//! Errors, with the codes and statuses of EKS Auth's service model.

use podrole_identity::{RoleArn, ServiceAccountRef};

use super::pod::PodClaimError;
use crate::{
    random::NoRandom, signature::authorization::SignatureError, sts::error::StsError,
    token::TokenError,
};

/// An error. Its text goes to the caller, and `reason` to the decision log.
#[derive(Debug, thiserror::Error)]
pub(super) enum EksAuthError {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("The body of the request cannot be read.")]
    Unreadable,
    #[error("The body of the request is larger than this service takes.")]
    TooLarge,
    #[error("The parameter {0} is missing, or not of the form that it must have.")]
    Parameter(&'static str),
    #[error(
        "User: {caller} is not authorized to perform: eks-auth:AssumeRoleForPodIdentity on resource: {resource}"
    )]
    NotPermitted { caller: String, resource: String, reason: String },
    #[error("No such cluster was found in this account and region.")]
    NoCluster,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("The token was issued for another cluster.")]
    Issuer { actual: String },
    #[error("The token is not that of a pod's service account.")]
    NotAPod(PodClaimError),
    #[error("No pod identity association was found for this service account.")]
    NoAssociation(ServiceAccountRef),
    #[error("Unauthorized Exception! EKS does not have permissions to assume the associated role.")]
    Unwilling { role: RoleArn, reason: String },
    #[error("The associated role could not be assumed: {0}")]
    Step(Box<StsError>),
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl EksAuthError {
    /// AWS's code and HTTP status.
    pub(super) fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Signature(error) => signature(error),
            Self::Unreadable => ("InvalidRequestException", 400),
            Self::TooLarge => ("InvalidRequestException", 413),
            Self::Parameter(_) => ("InvalidParameterException", 400),
            Self::NotPermitted { .. } | Self::Unwilling { .. } => ("AccessDeniedException", 400),
            Self::NoCluster | Self::NoAssociation(_) => ("ResourceNotFoundException", 404),
            Self::Token(TokenError::Expired { .. }) => ("ExpiredTokenException", 400),
            Self::Token(_) | Self::Issuer { .. } | Self::NotAPod(_) => {
                ("InvalidTokenException", 400)
            }
            Self::Step(error) if error.code().1 >= 500 => ("InternalServerException", 500),
            Self::Step(_) => ("InvalidRequestException", 400),
            Self::NoRandom(_) => ("InternalServerException", 500),
        }
    }

    /// The reason for the decision log, which the caller does not see.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Signature(error) => error.detail(),
            Self::NotPermitted { reason, .. } => reason.clone(),
            Self::Token(error) => error.detail(),
            Self::Issuer { actual } => format!("its issuer {actual:?} is not the cluster's"),
            Self::NotAPod(error) => error.to_string(),
            Self::NoAssociation(account) => format!("{account} has no association in this cluster"),
            Self::Unwilling { role, reason } => format!("{role}: {reason}"),
            Self::Step(error) => error.reason(),
            other => other.to_string(),
        }
    }
}

/// The codes of services that respond in JSON.
fn signature(error: &SignatureError) -> (&'static str, u16) {
    match error.code() {
        ("MissingAuthenticationToken", status) => ("MissingAuthenticationTokenException", status),
        ("InvalidClientTokenId", status) => ("UnrecognizedClientException", status),
        ("ExpiredToken", status) => ("ExpiredTokenException", status),
        ("IncompleteSignature", status) => ("IncompleteSignatureException", status),
        (_, status) => ("InvalidSignatureException", status),
    }
}
