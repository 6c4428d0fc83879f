//! Errors of IAM, in AWS's words.

use crate::signature::authorization::SignatureError;

/// An error of IAM.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum IamError {
    #[error("Could not find operation {0} for version 2010-05-08")]
    UnknownAction(String),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("User: {arn} is not authorized to perform: iam:{operation}")]
    AccessDenied { arn: String, operation: &'static str },
    #[error("The role with name {0} cannot be found.")]
    NoRole(String),
    #[error("The role policy with name {0} cannot be found.")]
    NoRolePolicy(String),
    #[error("OpenIDConnect Provider not found for arn {0}")]
    NoProvider(String),
    #[error("Role with name {0} already exists.")]
    RoleExists(String),
    #[error("Provider with url {0} already exists.")]
    ProviderExists(String),
    #[error("Cannot delete entity, must delete policies first.")]
    RoleInUse,
    #[error("{0}")]
    Policy(String),
    #[error("{0}")]
    Input(String),
    #[error("1 validation error detected: Value at '{name}' failed to satisfy constraint: {rule}")]
    Validation { name: String, rule: String },
    #[error("Cannot exceed quota for {quota}: {most}")]
    Limit { quota: &'static str, most: usize },
}

impl IamError {
    /// AWS's code and HTTP status.
    pub(super) fn code(&self) -> (&'static str, u16) {
        match self {
            Self::UnknownAction(_) => ("InvalidAction", 400),
            Self::Signature(error) => error.code(),
            Self::AccessDenied { .. } => ("AccessDenied", 403),
            Self::NoRole(_) | Self::NoRolePolicy(_) | Self::NoProvider(_) => ("NoSuchEntity", 404),
            Self::RoleExists(_) | Self::ProviderExists(_) => ("EntityAlreadyExists", 409),
            Self::RoleInUse => ("DeleteConflict", 409),
            Self::Policy(_) => ("MalformedPolicyDocument", 400),
            Self::Input(_) => ("InvalidInput", 400),
            Self::Validation { .. } => ("ValidationError", 400),
            Self::Limit { .. } => ("LimitExceeded", 409),
        }
    }

    /// The reason for the decision log.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Signature(error) => error.detail(),
            Self::AccessDenied { arn, .. } => {
                format!(
                    "{arn} signed with temporary credentials; the sandbox accepts IAM calls with a user's own key only"
                )
            }
            other => other.to_string(),
        }
    }
}
