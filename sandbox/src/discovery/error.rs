//! Errors of fetching an issuer's keys.

/// Why an issuer's keys cannot be fetched. The last error is kept for later callers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DiscoveryError {
    #[error("could not read the system's root certificates: {0}")]
    RootCertificates(String),
    #[error("could not read the cluster's CA certificate: {0}")]
    ClusterCa(String),
    #[error("could not set up TLS: {0}")]
    Tls(String),
    #[error("could not read {file}: {reason}")]
    File { file: String, reason: String },
    #[error("the token contains characters that an HTTP header cannot hold")]
    Token,
    #[error("{0:?} is not a URL")]
    Url(String),
    #[error("could not fetch {url}: {reason}")]
    Fetch { url: String, reason: String },
    #[error("could not parse the response of {url}: {reason}")]
    Parse { url: String, reason: String },
    #[error("{0}: keys are only fetched over https, or over http from the loopback address")]
    NotFetchable(String),
    #[error("{url} names another issuer: {issuer:?}")]
    OtherIssuer { url: String, issuer: String },
    #[error("the jwks_uri in {0} is neither https nor http on the loopback address")]
    JwksUri(String),
}
