//! A fresh token, for its issuer and the key that signed it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, api::PostParams};
use podrole_identity::{Audience, ServiceAccountRef};
use serde::{Deserialize, de::DeserializeOwned};

use crate::cluster::{Reader, Target, Unread};

/// The shortest life that Kubernetes gives a token.
const SECONDS: i64 = 600;

/// What a token says of its maker. The token itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenFacts {
    pub(crate) issuer: String,
    /// The key that signed it.
    pub(crate) kid: String,
    pub(crate) issued: Timestamp,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FreshTokenError {
    #[error(
        "cannot create a token of {0}: kubectl auth can-i create serviceaccounts/{name} --subresource=token -n \
         {namespace} says no",
        name = .0.name(), namespace = .0.namespace()
    )]
    Forbidden(ServiceAccountRef),
    #[error("{0}")]
    Unread(String),
    #[error("the API server's token has no issuer, key or time")]
    Form,
}

/// Requests a token of a ServiceAccount.
///
/// # Errors
/// If the API server does not give one.
pub(crate) async fn fresh(
    reader: &Reader,
    account: &ServiceAccountRef,
    audience: &Audience,
) -> Result<TokenFacts, FreshTokenError> {
    let api = Api::<ServiceAccount>::namespaced(reader.client(), account.namespace());
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: vec![audience.as_str().to_owned()],
            expiration_seconds: Some(SECONDS),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let params = PostParams::default();
    let target = || Target {
        verb: "create",
        resource: "serviceaccounts/token".to_owned(),
        namespace: Some(account.namespace().to_owned()),
        name: Some(account.name().to_owned()),
    };
    let made = api.create_token_request(account.name(), &params, &request);
    let made = reader.bounded(made, target).await.map_err(|error| match error {
        Unread::Forbidden(_) => FreshTokenError::Forbidden(account.clone()),
        error => FreshTokenError::Unread(error.to_string()),
    })?;
    made.status.and_then(|status| facts(&status.token)).ok_or(FreshTokenError::Form)
}

fn facts(token: &str) -> Option<TokenFacts> {
    #[derive(Deserialize)]
    struct Header {
        kid: String,
    }
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        iat: i64,
    }
    let mut parts = token.split('.');
    let header: Header = part(parts.next()?)?;
    let claims: Claims = part(parts.next()?)?;
    let issued = Timestamp::from_second(claims.iat).ok()?;
    Some(TokenFacts { issuer: claims.iss, kid: header.kid, issued })
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_names_its_issuer_key_and_time() {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({"alg": "RS256", "kid": "a"}));
        let claims = part(json!({"iss": "https://oidc.example", "iat": 1_800_000_000}));
        let read = facts(&format!("{header}.{claims}.c2ln")).unwrap();
        assert_eq!((read.issuer.as_str(), read.kid.as_str()), ("https://oidc.example", "a"));
        for text in ["", "a", "a.b.c", &format!("{header}.{header}.c2ln")] {
            assert_eq!(facts(text), None, "{text}");
        }
    }
}
