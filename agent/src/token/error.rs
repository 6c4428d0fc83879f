//! Why a token is rejected, with how to fix it.

use jiff::Timestamp;

/// Why a token is not valid. No variant contains any of the token's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is not a JWT of the form that Kubernetes issues.
    #[error(
        "the token is not a Kubernetes ServiceAccount token; send the content of the projected token file unchanged"
    )]
    Malformed,
    /// Its algorithm is not accepted, or is not its key's.
    #[error(
        "the token's algorithm is not one of its signing key's (RS256/384/512 or ES256/384/512); use a token of this cluster"
    )]
    Algorithm,
    /// The cluster's known keys do not include the one that it names.
    #[error(
        "the token names a signing key that this cluster does not publish; use a token of this cluster"
    )]
    UnknownKey {
        /// The token's `iat`, which is not verified.
        issued: Option<Timestamp>,
    },
    /// The signature does not match the key.
    #[error(
        "the token's signature is not valid; send the content of the projected token file unchanged"
    )]
    Signature,
    /// The issuer is not one of the accepted ones.
    #[error(
        "the token's issuer is not this cluster's; use a token of this cluster, or start the agent with the issuer as --issuer"
    )]
    Issuer {
        /// The token's `iat`, which may not be verified.
        issued: Option<Timestamp>,
    },
    /// No audience is accepted.
    #[error("the token is for another audience; set the audience of its volume to {wanted}")]
    Audience {
        /// The audience to use.
        wanted: String,
    },
    /// It has expired.
    #[error(
        "the token has expired; read the token file again for each request, since the kubelet replaces it"
    )]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet; synchronise the clocks of this node and the API server")]
    NotYet,
    /// A claim is missing.
    #[error("the token lacks the claim {0}; use a projected ServiceAccount token")]
    Missing(&'static str),
    /// It is a token from a Secret, which never expires.
    #[error(
        "the token is from a Secret and never expires, so it is not accepted; use a projected ServiceAccount token"
    )]
    Legacy,
    /// It is not bound to a pod.
    #[error(
        "the token is not bound to a pod; use the token of a projected volume, or one of `kubectl create token --bound-object-kind Pod`"
    )]
    NoPod,
    /// `sub` and the `kubernetes.io` claims name different ServiceAccounts.
    #[error(
        "the token's subject is not the ServiceAccount in its kubernetes.io claims; use a projected ServiceAccount token"
    )]
    Subject,
}
