//! Why nothing is printed.

use crate::report::Finding;

/// Why nothing is printed.
pub(super) enum TrustPolicyError {
    /// A flag, a file or a kubeconfig cannot be used: exit code 2.
    Usage(anyhow::Error),
    /// What was found in the input or the cluster.
    Found(Vec<Finding>),
}

impl From<anyhow::Error> for TrustPolicyError {
    fn from(error: anyhow::Error) -> Self {
        Self::Usage(error)
    }
}
