//! Errors of a session key.

/// Why a session key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionKeyError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is not a key. The text is not repeated.
    #[error("a session key is 32 bytes or more in base64 (head -c 32 /dev/urandom | base64)")]
    Format,
    /// The system's random number generator failed.
    #[error("could not make a session key: the system's random number generator failed")]
    NoRandom,
}
