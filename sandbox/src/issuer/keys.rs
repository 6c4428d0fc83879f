//! An issuer's keys: one signs, and older ones stay published until they are dropped.

use std::{collections::VecDeque, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::error::IssuerError;
use crate::jwk::JwkSet;

/// Old keys that stay published. The limit keeps endless rotation from filling the memory.
const MAX_OLD_KEYS: usize = 8;

/// An RSA key of an issuer.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    pub(super) kid: String,
}

/// The keys of an issuer.
pub(super) struct IssuerKeys {
    signing: Arc<SigningKey>,
    /// Public keys in JWK format, the signing key first.
    published: VecDeque<Value>,
    /// The same keys, parsed for verification.
    set: JwkSet,
}

impl SigningKey {
    pub(crate) fn generate() -> Result<Self, IssuerError> {
        let crypto = |_| IssuerError::Crypto("make an RSA key");
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(crypto)?;
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(crypto)?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der.as_ref());
        Ok(Self { kid: URL_SAFE_NO_PAD.encode(hash), pair })
    }

    /// The RS256 signature of a message.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IssuerError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        self.pair
            .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
            .map_err(|_| IssuerError::Crypto("sign a token"))?;
        Ok(signature)
    }

    fn public(&self) -> Value {
        let public = self.pair.public_key();
        let (n, e) = (public.modulus(), public.exponent());
        json!({
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
            "n": URL_SAFE_NO_PAD.encode(n.big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(e.big_endian_without_leading_zero()),
        })
    }
}

impl IssuerKeys {
    pub(super) fn new(key: SigningKey) -> Self {
        let published = VecDeque::from([key.public()]);
        let mut keys = Self { signing: Arc::new(key), published, set: JwkSet::default() };
        keys.publish();
        keys
    }

    /// Signs with another key from now on. The old one stays published.
    pub(super) fn rotate(&mut self, key: SigningKey) {
        self.published.push_front(key.public());
        self.published.truncate(1 + MAX_OLD_KEYS);
        self.signing = Arc::new(key);
        self.publish();
    }

    /// Publishes only the signing key.
    pub(super) fn drop_old(&mut self) {
        self.published.truncate(1);
        self.publish();
    }

    pub(super) fn signing(&self) -> Arc<SigningKey> {
        Arc::clone(&self.signing)
    }

    pub(super) fn set(&self) -> JwkSet {
        self.set.clone()
    }

    pub(super) fn jwks(&self) -> Value {
        json!({"keys": self.published})
    }

    fn publish(&mut self) {
        // Parsing our own JWK set does not fail.
        self.set = JwkSet::try_from(self.jwks()).unwrap_or_default();
    }
}
