//! The cluster's public signing keys.
//!
//! [`Keys`] is a key set as it was published and [`KeySource`] where it is read from.
//! [`JwksCache`] holds the newest one, and reads it again when a token names a key that is not in
//! it, or an issuer that the API server may have started to use.

mod algorithm;
mod file;
mod jwks_cache;
mod source;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, Jwk, PublicKeyUse},
};
use serde::{Deserialize, Serialize};

pub use algorithm::Algorithm;
pub use file::KeysFile;
pub use jwks_cache::{JwksCache, VerifyError};
pub use source::{KeySource, KeysError};

/// How long an issuer is accepted after the API server named it last. Its tokens live for a day at
/// most, and the API server still accepts them.
const FORMER_ISSUER: SignedDuration = SignedDuration::from_hours(24);

/// A key set, and when it was fetched.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<PublicKey>,
    /// The issuers that the API server named with its keys, the newest first.
    issuers: Vec<KnownIssuer>,
    fetched: Timestamp,
}

/// An issuer, and when the API server named it last.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KnownIssuer {
    issuer: String,
    last: Timestamp,
}

/// A public key, and what it may be used for.
#[derive(Clone, Debug)]
pub struct PublicKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    issuer: Option<String>,
    published: serde_json::Value,
    material: DecodingKey,
}

/// The text is not a key set that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a JSON Web Key Set with a key for RS256/384/512 or ES256/384/512")]
pub struct KeySetError(());

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

impl Keys {
    /// Parses a JWKS that was fetched at `fetched`, leaving out keys of unsupported kinds. If
    /// `issuer` is given, the keys verify only that issuer's tokens.
    ///
    /// # Errors
    /// If it is not a JWKS, or none of its keys can be used.
    pub fn read(
        json: &[u8],
        issuer: Option<&str>,
        fetched: Timestamp,
    ) -> Result<Self, KeySetError> {
        let set: RawSet = serde_json::from_slice(json).map_err(|_| KeySetError(()))?;
        let keys = set.keys.into_iter();
        let keys: Vec<PublicKey> = keys.filter_map(|key| PublicKey::read(key, issuer)).collect();
        if keys.is_empty() {
            return Err(KeySetError(()));
        }
        Ok(Self { keys, issuers: Vec::new(), fetched })
    }

    /// A set without keys, to add others to.
    pub(crate) fn empty(fetched: Timestamp) -> Self {
        Self { keys: Vec::new(), issuers: Vec::new(), fetched }
    }

    /// The same set, from an API server that names `issuer`.
    #[must_use]
    pub(crate) fn naming(mut self, issuer: String) -> Self {
        self.issuers = vec![KnownIssuer { issuer, last: self.fetched }];
        self
    }

    /// The same set, replacing `former`: that one's issuers are kept for as long as their tokens
    /// may live.
    #[must_use]
    pub(crate) fn replacing(mut self, former: &Self) -> Self {
        let fetched = self.fetched;
        let is_recent = |it: &&KnownIssuer| fetched.duration_since(it.last) < FORMER_ISSUER;
        for named in former.issuers.iter().filter(is_recent) {
            if !self.names(&named.issuer) {
                self.issuers.push(named.clone());
            }
        }
        self
    }

    /// The keys of one issuer, with the set's fetch time.
    pub(crate) fn of_issuer(&self, issuer: &str) -> Self {
        let keys = self.keys.iter().filter(|key| key.issuer() == Some(issuer));
        Self { keys: keys.cloned().collect(), issuers: Vec::new(), fetched: self.fetched }
    }

    /// Whether the API server names this issuer, or did recently.
    pub(crate) fn names(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|named| named.issuer == issuer)
    }

    /// The issuer that the API server named last.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuers.first().map(|named| named.issuer.as_str())
    }

    /// The union of both sets, with the earlier fetch time.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self.fetched = self.fetched.min(other.fetched);
        self
    }

    /// Whether the set has no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// When the set was fetched.
    #[must_use]
    pub fn fetched(&self) -> Timestamp {
        self.fetched
    }

    /// The keys that may have signed a token with this `kid`; all of them if it has none.
    pub(crate) fn with_id(&self, id: Option<&str>) -> impl Iterator<Item = &PublicKey> {
        let keys = self.keys.iter();
        keys.filter(move |key| id.is_none() || key.id.as_deref() == id)
    }

    /// Whether `newer` has every key and issuer of `self`.
    pub(crate) fn all_in(&self, newer: &Self) -> bool {
        let same =
            |a: &PublicKey, b: &PublicKey| a.published == b.published && a.issuer == b.issuer;
        let kept = |key: &PublicKey| newer.keys.iter().any(|other| same(key, other));
        self.keys.iter().all(kept) && self.issuers.iter().all(|it| newer.names(&it.issuer))
    }
}

impl PublicKey {
    fn read(key: serde_json::Value, issuer: Option<&str>) -> Option<Self> {
        // Read from the JSON, because the library's list of algorithms lacks ES512.
        let named = match key.get("alg") {
            None => None,
            Some(name) => Some(name.as_str()?.parse::<Algorithm>().ok()?),
        };
        let jwk = Jwk::deserialize(&key).ok()?;
        let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RSA.to_vec(),
            AlgorithmParameters::EllipticCurve(key) => vec![Algorithm::of_curve(&key.curve)?],
            // Above all HMAC: a public key must never be used as a shared secret.
            _ => return None,
        };
        let algorithms = match named {
            None => algorithms,
            Some(named) => algorithms.contains(&named).then(|| vec![named])?,
        };
        let material = DecodingKey::from_jwk(&jwk).ok()?;
        signs.then(|| Self {
            id: jwk.common.key_id.clone(),
            algorithms,
            issuer: issuer.map(str::to_owned),
            published: key,
            material,
        })
    }

    pub(crate) fn signs_with(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    pub(crate) fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &str) -> bool {
        algorithm.verify(&self.material, signed, signature)
    }
}
