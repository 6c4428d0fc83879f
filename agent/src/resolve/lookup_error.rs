//! What could not be looked up.

/// Something is not known just now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Kubernetes API server cannot be asked: {0}")]
pub struct LookupError(pub String);
