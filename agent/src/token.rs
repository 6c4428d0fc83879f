//! Who is asking: a pod's token, checked.
//!
//! Pure: the token, the cluster's keys, the rules and the time go in, a [`Caller`] comes out.
//! Nothing is believed before the signature is; no check can be turned off.

mod claims;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use podrole_identity::{Audience, ServiceAccountRef};
use serde::Deserialize;

use crate::keys::{Algorithm, Keys};
use claims::Claims;

/// A longer token is refused before any work, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// How far clocks may be apart, for `exp` and `nbf`.
pub const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// The pod that a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The pod's ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// The ServiceAccount's UID when the token was made.
    pub service_account_uid: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The node that the pod ran on when the token was made; Kubernetes 1.30 and later say it.
    pub node: Option<String>,
    /// Who signed the token.
    pub issuer: String,
    /// Whom the token is for: sorted, each once, never empty.
    pub audiences: Vec<String>,
    /// Whether one of them is in [`Rules::audiences`]. If not, only the ServiceAccount's own
    /// audience can save the token, and [`crate::resolve::decide`] judges that.
    pub listed_audience: bool,
    /// When the token ends.
    pub expires: Timestamp,
}

/// What a token must say.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The issuers that are believed; more than one while a cluster changes its issuer. Where
    /// none is given, the key set names one.
    pub issuers: Vec<String>,
    /// The audiences that are taken.
    pub audiences: Vec<Audience>,
    /// Whether a ServiceAccount's annotation may name another audience (web identity only).
    pub own_audiences: bool,
}

/// Why a token is not believed. No variant carries anything of the token's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is over [`MAX_TOKEN_BYTES`].
    #[error(
        "the token is longer than 16 kB; send the projected token file's content and nothing else"
    )]
    TooLong,
    /// It is no JWT of the form that Kubernetes makes.
    #[error(
        "the token is not a Kubernetes ServiceAccount token; mount the projected token and send it as it is"
    )]
    Malformed,
    /// Its algorithm is not taken, or not the one of its key.
    #[error(
        "the token's algorithm is not one that the cluster's key signs with (RS256/384/512, ES256/384/512)"
    )]
    Algorithm,
    /// The cluster's key set, as far as it is known, has no such key.
    #[error(
        "the token is signed with a key that this cluster does not publish; use a token of this cluster"
    )]
    UnknownKey {
        /// The token's own `iat`, unproved.
        issued: Option<Timestamp>,
    },
    /// The signature is not of that key.
    #[error("the token's signature is not this cluster's; use the token that the kubelet mounted")]
    Signature,
    /// The issuer is not one of ours, as far as they are known.
    #[error(
        "the token's issuer is not this cluster's; start the agent with --issuer, or use a token of this cluster"
    )]
    Issuer {
        /// The token's own `iat`, proved or not.
        issued: Option<Timestamp>,
    },
    /// The audience is another.
    #[error("the token is for another audience; its volume must ask for the audience {wanted}")]
    Audience {
        /// The audience to ask for.
        wanted: String,
    },
    /// It has ended.
    #[error("the token has expired; read the token file again, the kubelet keeps it fresh")]
    Expired,
    /// It has not begun.
    #[error("the token is not valid yet; set the clocks of this node and the API server")]
    NotYet,
    /// A claim is not there.
    #[error("the token has no claim {0}; use a projected ServiceAccount token")]
    Missing(&'static str),
    /// It is a token from a Secret, which never ends.
    #[error(
        "tokens from Secrets are not taken, because they never end; use a projected ServiceAccount token"
    )]
    Legacy,
    /// It is bound to no pod.
    #[error(
        "the token is bound to no pod; use the token of a projected volume, or one of `kubectl create token --bound-object-kind Pod`"
    )]
    NoPod,
    /// `sub` and the `kubernetes.io` claims say different things.
    #[error("the token's subject is not the ServiceAccount that its kubernetes.io claims name")]
    Subject,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

/// Checks `token` in every way that needs no other system.
///
/// # Errors
/// The first check that failed. [`TokenError::UnknownKey`] may pass with newer keys, and
/// [`TokenError::Issuer`] where they name the issuer.
pub fn verify(
    token: &str,
    keys: &Keys,
    rules: &Rules,
    now: Timestamp,
) -> Result<Caller, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    if payload.contains('.') {
        return Err(TokenError::Malformed);
    }
    let header: Header = decode(header)?;
    let algorithm = header.alg.parse().map_err(|()| TokenError::Algorithm)?;
    if header.crit.is_some() {
        // An extension that must be understood, and none is.
        return Err(TokenError::Malformed);
    }
    let issuer = signer(keys, &header, algorithm, signed, signature)?;
    let claims: Claims = decode(payload)?;
    match issuer {
        Some(issuer) => claims::check(claims, issuer, keys, rules, now),
        // Of whoever is not believed no key is looked for.
        None if !claims.is_of(keys, rules) => Err(TokenError::Issuer { issued: claims.issued() }),
        None => Err(TokenError::UnknownKey { issued: claims.issued() }),
    }
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part);
    let bytes = bytes.map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

/// Finds the key that signed, if it is known; says for which issuer alone it stands, if so.
fn signer<'a>(
    keys: &'a Keys,
    header: &Header,
    algorithm: Algorithm,
    signed: &str,
    signature: &str,
) -> Result<Option<Option<&'a str>>, TokenError> {
    let mut error = None;
    for key in keys.named(header.kid.as_deref()) {
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
