//! Errors of a chunked body.

/// Why a chunked body is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    #[error("The request body terminated unexpectedly")]
    Incomplete,
    #[error("The request body's chunks cannot be read: {0}")]
    Malformed(&'static str),
    #[error("The chunk signature we calculated does not match the one in the body")]
    Signature,
    #[error("The request contained trailing data that was not declared in x-amz-trailer")]
    Trailer,
}
