//! The accepted signature algorithms: those that STS accepts.

use std::str::FromStr;

use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm as Jwt, DecodingKey, jwk::EllipticCurve};

/// A signature algorithm by its name in a JWT's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are RFC 7518's")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    Es512,
}

impl Algorithm {
    /// The algorithms of an RSA key that does not name one.
    pub(crate) const RSA: [Self; 3] = [Self::Rs256, Self::Rs384, Self::Rs512];

    /// The one algorithm of a curve.
    pub(crate) fn of_curve(curve: &EllipticCurve) -> Option<Self> {
        match curve {
            EllipticCurve::P256 => Some(Self::Es256),
            EllipticCurve::P384 => Some(Self::Es384),
            EllipticCurve::P521 => Some(Self::Es512),
            _ => None,
        }
    }

    /// Whether `signature` (base64url) over `signed` was made with `key`.
    pub(crate) fn verify(self, key: &DecodingKey, signed: &[u8], signature: &str) -> bool {
        let jwt = match self {
            Self::Rs256 => Jwt::RS256,
            Self::Rs384 => Jwt::RS384,
            Self::Rs512 => Jwt::RS512,
            Self::Es256 => Jwt::ES256,
            Self::Es384 => Jwt::ES384,
            Self::Es512 => return verify_es512(key, signed, signature),
        };
        jsonwebtoken::crypto::verify(signature, signed, key, jwt).unwrap_or(false)
    }
}

/// The JWT library does not support ES512; its cryptography library does.
fn verify_es512(key: &DecodingKey, signed: &[u8], signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_get_as_bytes(), URL_SAFE_NO_PAD.decode(signature))
    else {
        return false;
    };
    let key = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, key);
    key.verify(signed, &signature).is_ok()
}

impl FromStr for Algorithm {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "RS256" => Ok(Self::Rs256),
            "RS384" => Ok(Self::Rs384),
            "RS512" => Ok(Self::Rs512),
            "ES256" => Ok(Self::Es256),
            "ES384" => Ok(Self::Es384),
            "ES512" => Ok(Self::Es512),
            _ => Err(()),
        }
    }
}
