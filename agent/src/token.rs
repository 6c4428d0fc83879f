//! Verifies a pod's token.
//!
//! Pure: the token, the cluster's keys, the rules and the time go in, and a [`Caller`] comes out.
//! No claim is used before the signature is verified, except to tell an unknown key from a foreign
//! issuer. No check can be turned off.

mod claims;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use podrole_identity::{Audience, ServiceAccountRef};
use serde::Deserialize;

use crate::{
    bearer_token::BearerToken,
    keys::{Algorithm, Keys},
};
use claims::Claims;

/// The clock skew that is tolerated for `exp` and `nbf`.
pub const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// The pod that a token identifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The pod's ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// The ServiceAccount's UID when the token was issued.
    pub service_account_uid: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The pod's node when the token was issued. Kubernetes 1.30 and later include it.
    pub node: Option<String>,
    /// The token's issuer.
    pub issuer: String,
    /// The token's audiences: sorted, without duplicates, never empty.
    pub audiences: Vec<String>,
    /// Whether one of them is in [`Rules::audiences`]. If not, the token is accepted only if the
    /// ServiceAccount's annotation names one, which [`crate::resolve::decide`] checks.
    pub listed_audience: bool,
    /// When the token expires.
    pub expires: Timestamp,
}

/// What a token must claim.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The accepted issuers; several while a cluster changes its issuer. If there are none, the key
    /// set names the accepted one.
    pub issuers: Vec<String>,
    /// The accepted audiences.
    pub audiences: Vec<Audience>,
    /// Whether a ServiceAccount's annotation may name another audience (web identity only).
    pub own_audiences: bool,
}

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

#[derive(Deserialize)]
struct JwtHeader {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

/// Verifies `token` against `keys` and `rules`.
///
/// # Errors
/// The first check that failed. [`TokenError::UnknownKey`] may pass with newer keys, and
/// [`TokenError::Issuer`] if the key set names the issuer.
pub fn verify(
    token: &BearerToken,
    keys: &Keys,
    rules: &Rules,
    now: Timestamp,
) -> Result<Caller, TokenError> {
    let (signed, signature) = token.expose().rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    if payload.contains('.') {
        return Err(TokenError::Malformed);
    }
    let header: JwtHeader = decode(header)?;
    let algorithm = header.alg.parse().map_err(|()| TokenError::Algorithm)?;
    if header.crit.is_some() {
        // It lists extensions that a verifier must implement (RFC 7515, 4.1.11); none is.
        return Err(TokenError::Malformed);
    }
    let issuer = signer(keys, &header, algorithm, signed, signature)?;
    let claims: Claims = decode(payload)?;
    match issuer {
        Some(issuer) => claims::check(claims, issuer, keys, rules, now),
        // No key is fetched for a foreign issuer's token: anyone could cause that.
        None if !claims.is_of(keys, rules) => Err(TokenError::Issuer { issued: claims.issued() }),
        None => Err(TokenError::UnknownKey { issued: claims.issued() }),
    }
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part);
    let bytes = bytes.map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

/// Finds the key that signed the token. The outer `Option` is `None` if the key is not known; the
/// inner one is the only issuer whose tokens the key verifies, if it is restricted to one.
fn signer<'a>(
    keys: &'a Keys,
    header: &JwtHeader,
    algorithm: Algorithm,
    signed: &str,
    signature: &str,
) -> Result<Option<Option<&'a str>>, TokenError> {
    let mut error = None;
    for key in keys.with_id(header.kid.as_deref()) {
        if !key.signs_with(algorithm) {
            error.get_or_insert(TokenError::Algorithm);
        } else if key.verify(algorithm, signed.as_bytes(), signature) {
            return Ok(Some(key.issuer()));
        } else {
            error = Some(TokenError::Signature);
        }
    }
    error.map_or(Ok(None), Err)
}

#[cfg(test)]
mod tests;
