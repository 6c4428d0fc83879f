//! A web identity token: read as hostile text, then checked one rule at a time.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use podrole_identity::Audience;
use serde::{Deserialize, de::DeserializeOwned};

use crate::jwk::{Algorithm, JwkSet};

/// A token that was read and not yet believed.
pub(crate) struct Token<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    /// What it claims.
    pub(crate) claims: Claims,
}

/// The claims that STS looks at.
#[derive(Clone, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: OneOrMany,
    /// Seconds since 1970, like the others.
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    #[serde(default)]
    pub(crate) amr: Option<OneOrMany>,
    #[serde(default, rename = "https://aws.amazon.com/tags")]
    pub(crate) tags: Option<TagClaim>,
    #[serde(default, rename = "https://aws.amazon.com/source_identity")]
    pub(crate) source_identity: Option<String>,
    /// What only EKS Auth looks at: nothing of its form is asked here.
    #[serde(default, rename = "kubernetes.io")]
    pub(crate) kubernetes: Option<serde_json::Value>,
}

/// Session tags that the issuer gives its subject. Kubernetes cannot; others can.
#[derive(Clone, Deserialize)]
pub(crate) struct TagClaim {
    #[serde(default)]
    principal_tags: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
}

impl TagClaim {
    /// The tags. A list has one value.
    pub(crate) fn tags(&self) -> Result<Vec<(&str, &str)>, TokenError> {
        let tags = self.principal_tags.iter().map(|(key, values)| match values.list() {
            [value] => Ok((key.as_str(), value.as_str())),
            _ => Err(TokenError::NotAJwt("a tag in its claims has not one value")),
        });
        tags.collect()
    }

    /// The keys of those that further sessions inherit.
    pub(crate) fn transitive(&self) -> impl Iterator<Item = &str> {
        self.transitive_tag_keys.iter().map(String::as_str)
    }
}

/// A claim that is one text or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// Why a token is not believed. The text is for the caller; `detail` is for the decision log.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
    )]
    NotAJwt(&'static str),
    #[error(
        "The ID Token is signed with an algorithm that is not supported; RS256, RS384, RS512, ES256, ES384 and ES512 are"
    )]
    Algorithm(String),
    #[error("No OpenIDConnect provider found in your account for {issuer}")]
    NoProvider { issuer: String, account: String },
    #[error(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
    )]
    UnknownKey { kid: Option<String> },
    #[error(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
    )]
    Unreachable(String),
    #[error("The ID Token's signature is invalid")]
    Signature,
    #[error("Incorrect token audience")]
    Audience { held: Vec<String>, listed: Vec<String> },
    #[error(
        "Token expired: current date/time {now} must be before the expiration date/time {expiration}"
    )]
    Expired { now: i64, expiration: i64 },
    #[error("The ID Token is not valid yet")]
    NotYet { claim: &'static str, seconds: i64 },
}

impl TokenError {
    /// What the caller is not told.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::NotAJwt(error) => (*error).to_owned(),
            Self::Algorithm(name) => format!("its alg is {name:?}"),
            Self::NoProvider { issuer, account } => {
                format!("account {account} has no OIDC provider with the URL {issuer:?}")
            }
            Self::UnknownKey { kid: Some(kid) } => format!("the provider has no key {kid:?}"),
            Self::UnknownKey { kid: None } => "it names no key (kid)".to_owned(),
            Self::Unreachable(error) => error.clone(),
            Self::Signature => "the key that it names did not sign it".to_owned(),
            Self::Audience { held, listed } => {
                format!("it is for {held:?}, and the provider's client list is {listed:?}")
            }
            Self::Expired { now, expiration } => {
                format!("it expired {} s ago", now.saturating_sub(*expiration))
            }
            Self::NotYet { claim, seconds } => format!("its {claim} lies {seconds} s ahead"),
        }
    }
}

impl<'a> Token<'a> {
    /// Reads a token without believing it.
    pub(crate) fn parse(text: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) =
            text.rsplit_once('.').ok_or(TokenError::NotAJwt("it has not three parts"))?;
        let (header, claims) = signed
            .split_once('.')
            .filter(|(_, claims)| !claims.contains('.'))
            .ok_or(TokenError::NotAJwt("it has not three parts"))?;
        let header: Header = part(header, "its header cannot be read")?;
        if header.crit.is_some() {
            return Err(TokenError::NotAJwt("its header demands extensions (crit)"));
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(TokenError::Algorithm(header.alg))?;
        Ok(Self {
            algorithm,
            kid: header.kid,
            signed,
            signature: decode(signature, "its signature is not base64url")?,
            claims: part(claims, "its claims iss, sub, aud, exp, iat cannot be read")?,
        })
    }

    /// The name of the key that it says it is signed with.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key that the token names signed it.
    pub(crate) fn check_signature(&self, keys: Option<&JwkSet>) -> Result<(), TokenError> {
        let unknown = || TokenError::UnknownKey { kid: self.kid.clone() };
        let kid = self.kid.as_deref().ok_or_else(unknown)?;
        let key = keys.and_then(|keys| keys.find(kid)).ok_or_else(unknown)?;
        let verified = key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature);
        verified.then_some(()).ok_or(TokenError::Signature)
    }
}

impl Claims {
    /// One of the token's audiences is in the provider's client list; which.
    pub(crate) fn check_audience(&self, client_ids: &[Audience]) -> Result<String, TokenError> {
        let listed = || client_ids.iter().map(Audience::as_str);
        let held = self.aud.list();
        let found = held.iter().find(|one| listed().any(|id| id == *one));
        found.cloned().ok_or_else(|| TokenError::Audience {
            held: held.to_vec(),
            listed: listed().map(str::to_owned).collect(),
        })
    }

    /// It has not expired. AWS has its own clock, and gives nothing on it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float saturates, which is what is meant"
    )]
    pub(crate) fn check_expiry(&self, now: Timestamp) -> Result<(), TokenError> {
        let (now, expiration) = (now.as_second(), self.exp as i64);
        (now < expiration).then_some(()).ok_or(TokenError::Expired { now, expiration })
    }

    /// It was issued, and may be used already.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float saturates, which is what is meant"
    )]
    pub(crate) fn check_not_before(&self, now: Timestamp) -> Result<(), TokenError> {
        let ahead = |at: f64| (at as i64).saturating_sub(now.as_second());
        for (claim, at) in [("iat", Some(self.iat)), ("nbf", self.nbf)] {
            let seconds = at.map_or(0, ahead);
            if seconds > 0 {
                return Err(TokenError::NotYet { claim, seconds });
            }
        }
        Ok(())
    }
}

impl OneOrMany {
    /// The values.
    pub(crate) fn list(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

fn decode(text: &str, error: &'static str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::NotAJwt(error))
}

fn part<T: DeserializeOwned>(text: &str, error: &'static str) -> Result<T, TokenError> {
    let bytes = decode(text, error)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::NotAJwt(error))
}

#[cfg(test)]
mod tests;
