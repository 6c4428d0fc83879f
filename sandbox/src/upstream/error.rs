//! Why there can be no emulator behind the sandbox.

/// Why there can be no such emulator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The URL is not one of a server's root.
    #[error("the upstream {0:?} must be http(s)://<host>[:port], without a path")]
    Url(String),
    /// The system's certificates cannot be read.
    #[error("the system's CA certificates cannot be read: {0}; set SSL_CERT_FILE to a bundle")]
    Certificates(String),
}
