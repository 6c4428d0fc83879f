//! An OIDC issuer like the one of a cluster's API server: keys, discovery and tokens.

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

/// Where Kubernetes serves an issuer's keys, relative to its URL.
const JWKS_PATH: &str = "/openid/v1/jwks";
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// An issuer that signs with a 2048-bit RSA key. Clones share the keys.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    url: String,
    path: String,
    /// Generated on first use, because generating an RSA key takes about 100 ms.
    keys: LazyLock<GeneratedKeys, Box<dyn FnOnce() -> GeneratedKeys + Send>>,
}

type GeneratedKeys = Result<RwLock<IssuerKeys>, IssuerError>;

impl Issuer {
    /// Creates an issuer and generates its key.
    ///
    /// # Errors
    /// If the URL is not a valid issuer URL, or the crypto library fails.
    pub fn generate(url: &str) -> Result<Self, IssuerError> {
        let issuer = Self::new(url, SigningKey::generate)?;
        drop(issuer.keys()?);
        Ok(issuer)
    }

    /// Creates an issuer and generates its key in the background, so that the program starts without
    /// waiting for it. The first use of the key waits. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the URL is not a valid issuer URL.
    pub fn start(url: &str) -> Result<Self, IssuerError> {
        let issuer = Self::new(url, SigningKey::generate)?;
        let beside = issuer.clone();
        // The runtime waits for this thread when it ends. One that nothing waits for would still be in the
        // crypto library while the process exits, and the library aborts if its global state is gone.
        tokio::task::spawn_blocking(move || beside.keys().map(drop));
        Ok(issuer)
    }

    /// An issuer with the same URL and key id that signs with another key. Code that accepts its tokens
    /// does not verify signatures.
    ///
    /// # Errors
    /// If the crypto library fails.
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

    /// Signs with a new key from now on. The old one stays published, so that its tokens stay valid.
    ///
    /// # Errors
    /// If the crypto library fails.
    pub fn rotate(&self) -> Result<(), IssuerError> {
        let key = SigningKey::generate()?;
        self.keys_mut()?.rotate(key);
        Ok(())
    }

    /// Publishes only the signing key, so that tokens of older keys become invalid.
    pub fn drop_old_keys(&self) {
        if let Ok(mut keys) = self.keys_mut() {
            keys.drop_old();
        }
    }

    /// The issuer's URL: the `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The published keys as a JWK set, the signing key first.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.keys().map_or_else(|_| json!({"keys": []}), |keys| keys.jwks())
    }

    /// The OIDC discovery document.
    #[must_use]
    pub fn discovery(&self) -> Value {
        json!({
            "issuer": self.0.url,
            "jwks_uri": format!("{}{JWKS_PATH}", self.0.url.trim_end_matches('/')),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    /// Issues a token with the claims of a Kubernetes ServiceAccount token.
    ///
    /// # Errors
    /// If the request has no audience, or the crypto library fails.
    pub fn mint(&self, request: &TokenRequest, now: Timestamp) -> Result<String, IssuerError> {
        if request.audiences.is_empty() {
            return Err(IssuerError::NoAudience);
        }
        let jti = random::uuid().map_err(|_| IssuerError::Crypto("give random bytes"))?;
        let claims = request.claims(&self.0.url, now, &jti);
        let key = self.keys()?.signing();
        sign(&key, &json!({"alg": "RS256", "kid": key.kid}), &claims)
    }

    /// Signs any header and claims, because tests need invalid ones.
    #[cfg(test)]
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Result<String, IssuerError> {
        sign(&self.keys()?.signing(), header, claims)
    }

    pub(crate) fn key_set(&self) -> JwkSet {
        self.keys().map(|keys| keys.set()).unwrap_or_default()
    }

    /// The paths of the discovery document and of the keys on this server.
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

/// The path of an issuer's URL, without `/` at its end. `None` if the URL is not valid.
fn path(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://");
    let rest = rest.or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    host.parse::<http::uri::Authority>().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let legal = path.bytes().all(plain) && !path.contains("//");
    // Some issuers end with `/` (AKS, Auth0): it is a part of their name, and discovery leaves it out.
    legal.then(|| path.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
