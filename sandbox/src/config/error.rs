//! Why a file cannot be taken.

use podrole_identity::AccountId;

use crate::accounts::SessionDurationError;

/// Why a file, or a role, cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no YAML, or has fields or values that are not known here.
    #[error("line {line}, column {column}: {reason}")]
    Read {
        /// Counted from 1; 0 when not known.
        line: u64,
        /// Counted from 1; 0 when not known.
        column: u64,
        /// What is wrong.
        reason: String,
    },
    /// A manifest that is not a ConfigMap with one file.
    #[error(
        "a manifest of kind {kind:?} with {files} files; give the sandbox's file, or a ConfigMap that holds it alone"
    )]
    Manifest {
        /// Its kind.
        kind: String,
        /// How many files it holds.
        files: usize,
    },
    /// A role's or user's ARN is of another account than the one that it stands under.
    #[error("{arn} stands under account {account}; move it under its own account")]
    Account {
        /// The role or user.
        arn: String,
        /// The account that it stands under.
        account: AccountId,
    },
    /// A role or user stands under another name than its ARN's.
    #[error("{arn} stands under the name {name:?}; use the name in its ARN")]
    Name {
        /// The role or user.
        arn: String,
        /// The name that it stands under.
        name: String,
    },
    /// A key that two users have, or one twice.
    #[error("the access key {key} is there twice; a key belongs to one user")]
    KeyTwice {
        /// The key's id.
        key: String,
    },
    /// A role's longest session is not one that IAM allows.
    #[error(transparent)]
    MaxSessionDuration(#[from] SessionDurationError),
    /// A cluster, or an association in it, is not one that EKS would have.
    #[error("the cluster {name:?}: {reason}")]
    Cluster {
        /// The cluster.
        name: String,
        /// What is wrong.
        reason: String,
    },
}
