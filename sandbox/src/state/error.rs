//! Errors of a state file.

use podrole_identity::RoleArn;

use crate::{
    accounts::{SessionDurationError, TagError},
    policy::PolicyError,
};

/// Why a state file cannot be read, applied or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is not the JSON of a state file.
    #[error("not a state file: {0}")]
    Parse(#[from] serde_json::Error),
    /// A role has a malformed policy.
    #[error("the role {role}: {error}")]
    Policy {
        /// The role.
        role: RoleArn,
        /// What is wrong with the policy.
        error: PolicyError,
    },
    /// A role has a session duration that IAM does not allow.
    #[error(transparent)]
    SessionDuration(#[from] SessionDurationError),
    /// A role or provider has tags that IAM does not allow.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// A provider is in an account that does not have 12 digits.
    #[error("{0:?} is not an AWS account id: use 12 digits")]
    Account(String),
}
