//! Verifies a pod's token.
//!
//! Pure: the token, the cluster's keys, the rules and the time go in, and a [`Caller`] comes out.
//! No claim is used before the signature is verified, except to tell an unknown key from a foreign
//! issuer. No check can be turned off.

mod caller;
mod claims;
mod error;
mod rules;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    bearer_token::BearerToken,
    keys::{Algorithm, Keys},
};
pub use caller::Caller;
use claims::Claims;
pub use error::TokenError;
pub use rules::{Rules, SKEW};

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
        Some(issuer) => {
            let caller = claims::check(claims, issuer, keys, rules, now)?;
            Ok(Caller { key_id: header.kid, ..caller })
        }
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
