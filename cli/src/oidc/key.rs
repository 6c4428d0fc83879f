//! Public keys in a JWK set, kept as they were published.

use std::collections::BTreeMap;

use jiff::Timestamp;
use podrole_agent::keys::Keys;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The members of a private key (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// The members that make two keys the same.
const MATERIAL: [&str; 6] = ["kty", "n", "e", "crv", "x", "y"];

/// A public key with its ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    kid: String,
    kty: String,
    jwk: Map<String, Value>,
}

/// Why a text is not a set of public keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("it is not a JSON Web Key Set")]
    NotASet,
    #[error("a key has no kid")]
    NoKid,
    #[error("key {0} has no kty")]
    NoType(String),
    #[error("key {kid} has the member {member:?} of a private key")]
    Private { kid: String, member: &'static str },
    #[error("two different keys have the kid {0}")]
    Twice(String),
}

/// Keys by their IDs.
pub(crate) type KeySet = BTreeMap<String, Key>;

/// Reads a JWK set.
///
/// # Errors
/// If a key cannot be published: it would make the whole set unusable, or give a private key away.
pub(crate) fn read_set(json: &[u8]) -> Result<KeySet, KeySetError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Map<String, Value>>,
    }
    let set: Set = serde_json::from_slice(json).map_err(|_| KeySetError::NotASet)?;
    let mut keys = KeySet::new();
    for jwk in set.keys {
        let key = Key::read(jwk)?;
        add(&mut keys, key)?;
    }
    Ok(keys)
}

/// Adds a key to a set. One that is there already stays.
///
/// # Errors
/// If there is another key with its ID.
pub(crate) fn add(keys: &mut KeySet, key: Key) -> Result<(), KeySetError> {
    match keys.get(&key.kid) {
        Some(other) if !other.is_same(&key) => Err(KeySetError::Twice(key.kid)),
        Some(_) => Ok(()),
        None => {
            keys.insert(key.kid.clone(), key);
            Ok(())
        }
    }
}

impl Key {
    fn read(jwk: Map<String, Value>) -> Result<Self, KeySetError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
        let kid = text("kid").ok_or(KeySetError::NoKid)?.to_owned();
        if let Some(member) = PRIVATE.into_iter().find(|name| jwk.contains_key(*name)) {
            return Err(KeySetError::Private { kid, member });
        }
        let Some(kty) = text("kty") else { return Err(KeySetError::NoType(kid)) };
        Ok(Self { kty: kty.to_owned(), kid, jwk })
    }

    /// `RSA`, `EC` and others.
    pub(crate) fn kty(&self) -> &str {
        &self.kty
    }

    /// The algorithm that the key names.
    pub(crate) fn alg(&self) -> Option<&str> {
        self.jwk.get("alg").and_then(Value::as_str)
    }

    pub(crate) fn jwk(&self) -> &Map<String, Value> {
        &self.jwk
    }

    /// Whether it verifies tokens that STS accepts, by the agent's rule: RS256/384/512 or ES256/384/512.
    pub(crate) fn is_usable(&self) -> bool {
        let set = json!({"keys": [self.jwk]}).to_string();
        Keys::read(set.as_bytes(), None, Timestamp::UNIX_EPOCH).is_ok()
    }

    /// Whether both are one key. Sets that people write by hand often lack `use` and `alg`.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        MATERIAL.iter().all(|name| self.jwk.get(*name) == other.jwk.get(*name))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A set with a key of each ID.
    pub(crate) fn set(kids: &[&str]) -> KeySet {
        let keys: Vec<Value> = kids.iter().map(|kid| jwk(kid)).collect();
        read_set(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    /// A key on P-256: the curve's generator, whose coordinates are in FIPS 186-4.
    pub(crate) fn jwk(kid: &str) -> Value {
        json!({"use": "sig", "kty": "EC", "kid": kid, "crv": "P-256", "alg": "ES256",
            "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
            "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"})
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::jwk, *};

    fn read(keys: &Value) -> Result<Vec<String>, KeySetError> {
        let set = read_set(json!({ "keys": keys }).to_string().as_bytes())?;
        Ok(set.into_keys().collect())
    }

    fn with(name: &str, value: Value) -> Value {
        let mut jwk = jwk("a");
        jwk[name] = value;
        jwk
    }

    #[test]
    fn a_private_member_refuses_the_set() {
        for member in PRIVATE {
            let error = read(&json!([jwk("b"), with(member, json!("AQAB"))])).unwrap_err();
            assert_eq!(error, KeySetError::Private { kid: "a".to_owned(), member });
        }
    }

    #[test]
    fn keys_without_id_or_type_and_other_texts_are_refused() {
        assert_eq!(read(&json!([with("kid", json!(""))])), Err(KeySetError::NoKid));
        assert_eq!(
            read(&json!([with("kty", Value::Null)])),
            Err(KeySetError::NoType("a".to_owned()))
        );
        for text in ["", "[]", "{}", "{\"keys\": 1}", "<html>"] {
            assert_eq!(read_set(text.as_bytes()), Err(KeySetError::NotASet), "{text}");
        }
    }

    #[test]
    fn one_key_may_be_there_twice_and_two_of_one_id_may_not() {
        let mut bare = jwk("a");
        bare.as_object_mut().unwrap().remove("alg");
        assert_eq!(read(&json!([jwk("a"), bare, jwk("b")])), Ok(vec!["a".into(), "b".into()]));
        let other = with("x", json!("AA"));
        assert_eq!(read(&json!([jwk("a"), other])), Err(KeySetError::Twice("a".to_owned())));
    }

    #[test]
    fn a_key_is_usable_if_the_agent_could_use_it() {
        let usable = |jwk: Value| Key::read(jwk.as_object().unwrap().clone()).unwrap().is_usable();
        assert!(usable(jwk("a")));
        assert!(!usable(with("alg", json!("PS256"))));
        assert!(!usable(with("crv", json!("secp256k1"))));
        assert!(!usable(json!({"kid": "a", "kty": "OKP", "crv": "Ed25519", "x": "AA"})));
    }
}
