//! The cluster's public keys: read, never made here.
//!
//! [`Keys`] is a set as it was published; [`KeySource`] says where sets come from; [`KeyRing`]
//! holds the newest one and asks again when a token names a key that is not in it, or an issuer
//! that the API server may have begun to use.

mod algorithm;
mod file;
mod ring;
mod source;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, Jwk, PublicKeyUse},
};
use serde::{Deserialize, Serialize};

pub use algorithm::Algorithm;
pub use file::KeysFile;
pub use ring::{KeyRing, VerifyError};
pub use source::{KeySource, KeysError};

/// An issuer that the API server names no more is believed this much longer: tokens of its name
/// live a day at most, and are still good to the API server.
const FORMER_ISSUER: SignedDuration = SignedDuration::from_hours(24);

/// A key set, and when it was published at the latest.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    /// Those that the API server named beside its keys, the newest first.
    issuers: Vec<Named>,
    fetched: Timestamp,
}

/// An issuer, and when the API server named it last.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Named {
    issuer: String,
    last: Timestamp,
}

/// One public key with all that it may be used for.
#[derive(Clone, Debug)]
pub struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    issuer: Option<String>,
    published: serde_json::Value,
    material: DecodingKey,
}

/// Why a text is no key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a JSON Web Key Set with a key for RS256/384/512 or ES256/384/512")]
pub struct KeySetError(());

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

impl Keys {
    /// Reads a JWKS that was fetched at `fetched`. Keys of kinds that are not taken are passed
    /// over. With `issuer`, the keys stand for that issuer's tokens alone.
    ///
    /// # Errors
    /// When it is no JWKS, or no key of it can be used.
    pub fn read(
        json: &[u8],
        issuer: Option<&str>,
        fetched: Timestamp,
    ) -> Result<Self, KeySetError> {
        let set: RawSet = serde_json::from_slice(json).map_err(|_| KeySetError(()))?;
        let keys = set.keys.into_iter();
        let keys: Vec<Key> = keys.filter_map(|key| Key::read(key, issuer)).collect();
        if keys.is_empty() {
            return Err(KeySetError(()));
        }
        Ok(Self { keys, issuers: Vec::new(), fetched })
    }

    /// A set to add to.
    pub(crate) fn read_none(fetched: Timestamp) -> Self {
        Self { keys: Vec::new(), issuers: Vec::new(), fetched }
    }

    /// The same set, whose publisher signs in this issuer's name.
    #[must_use]
    pub(crate) fn naming(mut self, issuer: String) -> Self {
        self.issuers = vec![Named { issuer, last: self.fetched }];
        self
    }

    /// The same set, in place of `former`, whose issuers stay for as long as their tokens may live.
    #[must_use]
    pub(crate) fn instead_of(mut self, former: &Self) -> Self {
        let fetched = self.fetched;
        let lives = |it: &&Named| fetched.duration_since(it.last) < FORMER_ISSUER;
        for named in former.issuers.iter().filter(lives) {
            if !self.names(&named.issuer) {
                self.issuers.push(named.clone());
            }
        }
        self
    }

    /// The keys of one issuer alone, as old as the set.
    pub(crate) fn of_issuer(&self, issuer: &str) -> Self {
        let keys = self.keys.iter().filter(|key| key.issuer() == Some(issuer));
        Self { keys: keys.cloned().collect(), issuers: Vec::new(), fetched: self.fetched }
    }

    /// Whether the API server signs in this issuer's name, or did lately.
    pub(crate) fn names(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|named| named.issuer == issuer)
    }

    /// The issuer that the API server named last.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuers.first().map(|named| named.issuer.as_str())
    }

    /// Both sets together, as old as the older one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self.fetched = self.fetched.min(other.fetched);
        self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// When the set was fetched.
    #[must_use]
    pub fn fetched(&self) -> Timestamp {
        self.fetched
    }

    /// The keys that a token with this `kid` may be signed with; without a `kid`, all.
    pub(crate) fn named(&self, id: Option<&str>) -> impl Iterator<Item = &Key> {
        let keys = self.keys.iter();
        keys.filter(move |key| id.is_none() || key.id.as_deref() == id)
    }

    /// Whether every key and issuer of `self` is in `newer` too.
    pub(crate) fn all_in(&self, newer: &Self) -> bool {
        let same = |a: &Key, b: &Key| a.published == b.published && a.issuer == b.issuer;
        let keep = |key: &Key| newer.keys.iter().any(|other| same(key, other));
        self.keys.iter().all(keep) && self.issuers.iter().all(|it| newer.names(&it.issuer))
    }
}

impl Key {
    fn read(key: serde_json::Value, issuer: Option<&str>) -> Option<Self> {
        // Read from the text: the library's list of names lacks ES512.
        let named = match key.get("alg") {
            None => None,
            Some(name) => Some(name.as_str()?.parse::<Algorithm>().ok()?),
        };
        let jwk = Jwk::deserialize(&key).ok()?;
        let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RSA.to_vec(),
            AlgorithmParameters::EllipticCurve(key) => vec![Algorithm::of_curve(&key.curve)?],
            // HMAC above all: a public key must never become a shared secret.
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
