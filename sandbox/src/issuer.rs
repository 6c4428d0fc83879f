//! An OIDC issuer, as a cluster's API server is one: a key, its discovery, and tokens.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use podrole_identity::{Audience, ServiceAccountRef};
use serde_json::{Value, json};

use crate::{jwk::JwkSet, random};

/// Where Kubernetes serves its keys, under the issuer's URL.
const JWKS_PATH: &str = "/openid/v1/jwks";
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// An issuer with one RSA key of 2048 bits. Clones are the same issuer.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    url: String,
    path: String,
    key: RsaKeyPair,
    kid: String,
}

/// Why there is no issuer, or no token of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The URL is not one that an issuer can have.
    #[error(
        "the issuer URL {0:?} must be http(s)://<host>[/path], its path of letters, digits, - . _ ~, \
         without a slash at its end"
    )]
    Url(String),
    /// A token without audience was asked for.
    #[error("a token needs an audience")]
    NoAudience,
    /// The crypto library failed.
    #[error("the crypto library failed to {0}")]
    Crypto(&'static str),
}

/// What a token is asked for with, as in Kubernetes' TokenRequest.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Whose token it is.
    pub service_account: ServiceAccountRef,
    /// The ServiceAccount's UID.
    pub service_account_uid: String,
    /// Whom it is for; at least one.
    pub audiences: Vec<Audience>,
    /// Its life in seconds. Kubernetes gives 600 at least; this issuer gives what is asked.
    pub expiration_seconds: u32,
    /// The pod that it is bound to.
    pub pod: Option<PodRef>,
    /// The node that the pod runs on.
    pub node: Option<NodeRef>,
}

/// A pod, as a bound token names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRef {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// A node, as a bound token names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRef {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl Issuer {
    /// A new issuer with a new key.
    ///
    /// # Errors
    /// When the URL is not one that an issuer can have, or the crypto library fails.
    pub fn generate(url: &str) -> Result<Self, IssuerError> {
        let path = path(url).ok_or_else(|| IssuerError::Url(url.to_owned()))?;
        let crypto = |_| IssuerError::Crypto("make an RSA key");
        let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(crypto)?;
        let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(crypto)?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der.as_ref());
        Ok(Self(Arc::new(Inner {
            url: url.to_owned(),
            path,
            kid: URL_SAFE_NO_PAD.encode(hash),
            key,
        })))
    }

    /// One that names the same issuer and the same key and signs with another: whoever believes
    /// its tokens has not looked at the signature.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn impostor(&self) -> Result<Self, IssuerError> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048);
        let key = key.map_err(|_| IssuerError::Crypto("make an RSA key"))?;
        let (url, path, kid) = (self.0.url.clone(), self.0.path.clone(), self.0.kid.clone());
        Ok(Self(Arc::new(Inner { url, path, key, kid })))
    }

    /// Its URL: the `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Its public keys as a JWK set.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let public = self.0.key.public_key();
        let (n, e) = (public.modulus(), public.exponent());
        json!({"keys": [{
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.0.kid,
            "n": URL_SAFE_NO_PAD.encode(n.big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(e.big_endian_without_leading_zero()),
        }]})
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
        let claims = claims(&self.0.url, request, now, &jti);
        self.sign(&json!({"alg": "RS256", "kid": self.0.kid}), &claims)
    }

    /// Signs any header and claims: tests need wrong ones too.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Result<String, IssuerError> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let key = &self.0.key;
        let mut signature = vec![0; key.public_modulus_len()];
        let random = SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
            .map_err(|_| IssuerError::Crypto("sign a token"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    pub(crate) fn key_set(&self) -> JwkSet {
        // The set is our own, written above.
        JwkSet::try_from(self.jwks()).unwrap_or_default()
    }

    /// The paths of its discovery document and of its keys on this server.
    pub(crate) fn paths(&self) -> (String, String) {
        let path = &self.0.path;
        (format!("{path}{DISCOVERY_PATH}"), format!("{path}{JWKS_PATH}"))
    }

    #[cfg(test)]
    pub(crate) fn kid(&self) -> &str {
        &self.0.kid
    }
}

fn claims(issuer: &str, request: &TokenRequest, now: Timestamp, jti: &str) -> Value {
    let account = &request.service_account;
    let mut bound = json!({
        "namespace": account.namespace(),
        "serviceaccount": {"name": account.name(), "uid": request.service_account_uid},
    });
    if let Some(pod) = &request.pod {
        bound["pod"] = json!({"name": pod.name, "uid": pod.uid});
    }
    if let Some(node) = &request.node {
        bound["node"] = json!({"name": node.name, "uid": node.uid});
    }
    let now = now.as_second();
    json!({
        "iss": issuer,
        "sub": account.subject(),
        "aud": request.audiences,
        "iat": now,
        "nbf": now,
        "exp": now + i64::from(request.expiration_seconds),
        "jti": jti,
        "kubernetes.io": bound,
    })
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
