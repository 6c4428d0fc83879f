//! JWK sets, and the verification of signatures with them.
//!
//! STS accepts RS256/384/512 and ES256/384/512, each with a key of the right type and curve, and nothing
//! else: neither `none`, HMAC, EdDSA nor PSS. The cryptography is aws-lc-rs's. This file decides which
//! key may be used with which algorithm.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// A JWK set (RFC 7517), as an issuer's `jwks_uri` serves it.
#[derive(Clone, Default, Deserialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

/// The text is not a JWK set.
#[derive(Debug, thiserror::Error)]
#[error("not a JWK set: {0}")]
pub struct JwkSetError(serde_json::Error);

#[derive(Clone, Deserialize)]
pub(crate) struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A token's signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    Es512,
}

/// The parameters of an algorithm.
enum Scheme {
    Rsa(&'static RsaParameters),
    Ec {
        curve: &'static str,
        /// Bytes of each coordinate.
        size: usize,
        verification: &'static EcdsaVerificationAlgorithm,
    },
}

impl JwkSet {
    /// Parses a JWK set. It may contain keys of other types, which never verify a signature.
    ///
    /// # Errors
    /// If the text is not a JWK set.
    pub fn read(json: &str) -> Result<Self, JwkSetError> {
        serde_json::from_str(json).map_err(JwkSetError)
    }

    /// Whether there is a key with that id.
    pub(crate) fn has(&self, kid: &str) -> bool {
        self.find(kid).is_some()
    }

    /// The key with that id.
    pub(crate) fn find(&self, kid: &str) -> Option<&Jwk> {
        let mut keys = self.keys.iter();
        keys.find(|key| key.kid.as_deref() == Some(kid))
    }
}

impl TryFrom<serde_json::Value> for JwkSet {
    type Error = JwkSetError;

    fn try_from(value: serde_json::Value) -> Result<Self, JwkSetError> {
        serde_json::from_value(value).map_err(JwkSetError)
    }
}

impl fmt::Debug for JwkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids = self.keys.iter().map(|key| &key.kid);
        f.debug_list().entries(kids).finish()
    }
}

impl Algorithm {
    /// The algorithm with that name. `None` if STS does not accept it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }

    fn scheme(self) -> Scheme {
        let ec = |curve, size, verification| Scheme::Ec { curve, size, verification };
        match self {
            Self::Rs256 => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Self::Es256 => ec("P-256", 32, &ECDSA_P256_SHA256_FIXED),
            Self::Es384 => ec("P-384", 48, &ECDSA_P384_SHA384_FIXED),
            Self::Es512 => ec("P-521", 66, &ECDSA_P521_SHA512_FIXED),
        }
    }
}

impl Jwk {
    /// Whether this key signed the message. A key never verifies an algorithm of another type than its
    /// own.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let own = |field: &Option<String>, is: &str| field.as_deref().is_none_or(|f| f == is);
        if !own(&self.alg, algorithm.name()) || !own(&self.usage, "sig") {
            return false;
        }
        match algorithm.scheme() {
            Scheme::Rsa(parameters) => self.verifies_rsa(parameters, message, signature),
            Scheme::Ec { curve, size, verification } => {
                let point = self.point(curve, size);
                point.is_some_and(|point| {
                    let key = UnparsedPublicKey::new(verification, point);
                    key.verify(message, signature).is_ok()
                })
            }
        }
    }

    fn verifies_rsa(&self, parameters: &RsaParameters, message: &[u8], signature: &[u8]) -> bool {
        let (Some(n), Some(e)) = (bytes(self.n.as_ref()), bytes(self.e.as_ref())) else {
            return false;
        };
        let key = RsaPublicKeyComponents { n, e };
        self.kty == "RSA" && key.verify(parameters, message, signature).is_ok()
    }

    /// The uncompressed point of the key, if it is on that curve.
    fn point(&self, curve: &str, size: usize) -> Option<Vec<u8>> {
        let (x, y) = (bytes(self.x.as_ref())?, bytes(self.y.as_ref())?);
        let fits = self.kty == "EC" && self.crv.as_deref() == Some(curve);
        let whole = x.len() == size && y.len() == size;
        (fits && whole).then(|| [&[4][..], &x, &y].concat())
    }
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

#[cfg(test)]
mod tests;
