//! A failed look-up.

/// Why a look-up has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The API server did not answer.
    #[error("could not reach the Kubernetes API server: {0}")]
    Unreachable(String),
    /// It answered with an error.
    #[error("could not read from the Kubernetes API server: {0}")]
    Failed(String),
    /// It refuses the agent itself (401 or 403), which says nothing about the object.
    #[error(
        "the Kubernetes API server refuses the agent; give it the rights of the chart's ClusterRole \
         again: {0}"
    )]
    Forbidden(String),
}
