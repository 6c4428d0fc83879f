//! Errors of an issuer.

/// Why an issuer cannot be created, or a token not be issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The URL is not a valid issuer URL.
    #[error(
        "the issuer URL {0:?} must be http(s)://<host>[/path], with a path of letters, digits and - . _ ~ \
         that does not end with a slash"
    )]
    Url(String),
    /// A token without an audience was requested.
    #[error("a token needs at least one audience")]
    NoAudience,
    /// The crypto library failed.
    #[error("the crypto library failed to {0}")]
    Crypto(&'static str),
}
