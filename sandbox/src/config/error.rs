//! Why a configuration file is rejected.

use podrole_identity::{AccountId, ServiceAccountError};

use crate::accounts::SessionDurationError;

/// Why a configuration file is rejected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not YAML, or has unknown fields or invalid values.
    #[error("line {line}, column {column}: {reason}")]
    Read {
        /// Counted from 1; 0 if unknown.
        line: u64,
        /// Counted from 1; 0 if unknown.
        column: u64,
        /// What is wrong.
        reason: String,
    },
    /// A manifest that is not a ConfigMap with one file.
    #[error(
        "a manifest of kind {kind:?} with {files} files; use the sandbox's file, or a ConfigMap with that file alone"
    )]
    Manifest {
        /// Its kind.
        kind: String,
        /// The number of files in it.
        files: usize,
    },
    /// A role's or user's ARN is in another account than the one that it is listed under.
    #[error("{arn} is listed under account {account}; move it to its own account")]
    Account {
        /// The role or user.
        arn: String,
        /// The account that it is listed under.
        account: AccountId,
    },
    /// A role or user is listed under another name than the one in its ARN.
    #[error("{arn} is listed under the name {name:?}; use the name in its ARN")]
    Name {
        /// The role or user.
        arn: String,
        /// The name that it is listed under.
        name: String,
    },
    /// Two users have the same access key, or one user has it twice.
    #[error("the access key {key} occurs twice; give it to one user only")]
    KeyTwice {
        /// The key's id.
        key: String,
    },
    /// A role's maximum session duration is outside of what IAM allows.
    #[error(transparent)]
    MaxSessionDuration(#[from] SessionDurationError),
    /// EKS would not have this cluster, or an association in it.
    #[error("the cluster {name:?}: {error}")]
    Cluster {
        /// The cluster.
        name: String,
        /// What is wrong with it.
        error: ClusterError,
    },
}

/// Why EKS would not have a cluster, or an association in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The cluster's name is not the one in its ARN.
    #[error("its ARN contains the name {0:?}; use one name")]
    Name(String),
    /// The role of an association is in another account.
    #[error(
        "the association of {0}: roleArn must be in the cluster's account; use targetRoleArn for a role in another account"
    )]
    RoleAccount(String),
    /// An association has a session policy and session tags.
    #[error("the association of {0}: policy requires disableSessionTags: true")]
    PolicyWithTags(String),
    /// An association's ServiceAccount cannot exist in Kubernetes.
    #[error("the association of {name}: {error}")]
    ServiceAccount {
        /// Namespace and name.
        name: String,
        /// What is wrong with them.
        error: ServiceAccountError,
    },
}
