//! Why there is no issuer, or no token of it.

/// Why there is no issuer, or no token of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The URL is not one that an issuer can have.
    #[error(
        "the issuer URL {0:?} must be http(s)://<host>[/path], its path of letters, digits, - . _ ~, \
         without a slash at its end"
    )]
    Url(String),
    /// A token without audience was asked for.
    #[error("a token needs an audience")]
    NoAudience,
    /// The crypto library failed.
    #[error("the crypto library failed to {0}")]
    Crypto(&'static str),
}
