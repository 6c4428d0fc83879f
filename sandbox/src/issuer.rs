//! An OIDC issuer, as a cluster's API server is one: a key, its discovery, and tokens.

mod error;
mod keys;
mod request;
pub(crate) mod routes;

use std::sync::{Arc, LazyLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use self::keys::{IssuerKeys, SigningKey};
pub use self::{
    error::IssuerError,
    request::{NodeRef, PodRef, TokenRequest},
};
use crate::{jwk::JwkSet, random};

/// Where Kubernetes serves its keys, under the issuer's URL.
const JWKS_PATH: &str = "/openid/v1/jwks";
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// An issuer that signs with an RSA key of 2048 bits. Clones are the same issuer.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    url: String,
    path: String,
    /// GeneratedKeys when they are first asked for: an RSA key takes a tenth of a second.
    keys: LazyLock<GeneratedKeys, Box<dyn FnOnce() -> GeneratedKeys + Send>>,
}

type GeneratedKeys = Result<RwLock<IssuerKeys>, IssuerError>;

impl Issuer {
    /// A new issuer with a new key.
    ///
    /// # Errors
    /// When the URL is not one that an issuer can have, or the crypto library fails.
    pub fn generate(url: &str) -> Result<Self, IssuerError> {
        let issuer = Self::new(url, SigningKey::generate)?;
        drop(issuer.keys()?);
        Ok(issuer)
    }

    /// The same, and the key is made beside: whoever needs it first waits for it.
    ///
    /// # Errors
    /// When the URL is not one that an issuer can have.
    pub fn start(url: &str) -> Result<Self, IssuerError> {
        let issuer = Self::new(url, SigningKey::generate)?;
        let beside = issuer.clone();
        std::thread::spawn(move || beside.keys().map(drop));
        Ok(issuer)
    }

    /// One that names the same issuer and the same key and signs with another: whoever believes
    /// its tokens has not looked at the signature.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn impostor(&self) -> Result<Self, IssuerError> {
        let mut key = SigningKey::generate()?;
        key.kid.clone_from(&self.keys()?.signing().kid);
        Self::new(&self.0.url, || Ok(key))
    }

    fn new(
        url: &str,
        key: impl FnOnce() -> Result<SigningKey, IssuerError> + Send + 'static,
    ) -> Result<Self, IssuerError> {
        let path = path(url).ok_or_else(|| IssuerError::Url(url.to_owned()))?;
        let made = || key().map(|key| RwLock::new(IssuerKeys::new(key)));
        let keys = LazyLock::new(Box::new(made) as Box<dyn FnOnce() -> GeneratedKeys + Send>);
        Ok(Self(Arc::new(Inner { url: url.to_owned(), path, keys })))
    }

    /// Signs with a new key from now on. The old one stays published, so that its tokens live on.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn rotate(&self) -> Result<(), IssuerError> {
        let key = SigningKey::generate()?;
        self.keys_mut()?.rotate(key);
        Ok(())
    }

    /// Publishes the signing key alone: what older keys signed is believed no more.
    pub fn drop_old_keys(&self) {
        if let Ok(mut keys) = self.keys_mut() {
            keys.drop_old();
        }
    }

    /// Its URL: the `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Its public keys as a JWK set: the signing key first.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.keys().map_or_else(|_| json!({"keys": []}), |keys| keys.jwks())
    }

    /// Its discovery document.
    #[must_use]
    pub fn discovery(&self) -> Value {
        json!({
            "issuer": self.0.url,
            "jwks_uri": format!("{}{JWKS_PATH}", self.0.url),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    /// A token with the claims that Kubernetes puts in.
    ///
    /// # Errors
    /// When no audience is asked for, or the crypto library fails.
    pub fn mint(&self, request: &TokenRequest, now: Timestamp) -> Result<String, IssuerError> {
        if request.audiences.is_empty() {
            return Err(IssuerError::NoAudience);
        }
        let jti = random::uuid().map_err(|_| IssuerError::Crypto("give random bytes"))?;
        let claims = request.claims(&self.0.url, now, &jti);
        let key = self.keys()?.signing();
        sign(&key, &json!({"alg": "RS256", "kid": key.kid}), &claims)
    }

    /// Signs any header and claims: tests need wrong ones too.
    #[cfg(test)]
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Result<String, IssuerError> {
        sign(&self.keys()?.signing(), header, claims)
    }

    pub(crate) fn key_set(&self) -> JwkSet {
        self.keys().map(|keys| keys.set()).unwrap_or_default()
    }

    /// The paths of its discovery document and of its keys on this server.
    pub(crate) fn paths(&self) -> (String, String) {
        let path = &self.0.path;
        (format!("{path}{DISCOVERY_PATH}"), format!("{path}{JWKS_PATH}"))
    }

    #[cfg(test)]
    pub(crate) fn kid(&self) -> String {
        self.keys().unwrap().signing().kid.clone()
    }

    fn keys(&self) -> Result<RwLockReadGuard<'_, IssuerKeys>, IssuerError> {
        let keys = self.0.keys.as_ref().map_err(Clone::clone)?;
        Ok(keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn keys_mut(&self) -> Result<RwLockWriteGuard<'_, IssuerKeys>, IssuerError> {
        let keys = self.0.keys.as_ref().map_err(Clone::clone)?;
        Ok(keys.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn sign(key: &SigningKey, header: &Value, claims: &Value) -> Result<String, IssuerError> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The path of an issuer's URL, without a slash at its end.
fn path(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://");
    let rest = rest.or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    host.parse::<http::uri::Authority>().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let legal = path.bytes().all(plain) && !path.ends_with('/') && !path.contains("//");
    legal.then(|| path.to_owned())
}

#[cfg(test)]
mod tests;
