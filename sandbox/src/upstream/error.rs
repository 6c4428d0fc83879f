//! Errors of the configuration of an upstream emulator.

/// Why an upstream emulator cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The URL is not the root of a server.
    #[error("the upstream {0:?} must be http(s)://<host>[:port], without a path")]
    Url(String),
    /// The system's certificates cannot be read.
    #[error("could not read the system's CA certificates: {0}; set SSL_CERT_FILE to a bundle")]
    Certificates(String),
}

/// The text is not a way to sign. The text is not repeated: it may contain a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write as-it-came, or KEY_ID:SECRET")]
pub struct UpstreamSignError;
