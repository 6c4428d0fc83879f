//! A failed look-up.

/// The API server did not answer a look-up, or answered with an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read from the Kubernetes API server: {0}")]
pub struct LookupError(pub String);
