//! Web identity tokens: parsing of untrusted text, and one check at a time.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use podrole_identity::{Audience, NO_SANDBOX_ACCOUNT};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    discovery::DiscoveryError,
    jwk::{Algorithm, JwkSet},
};

/// A parsed token that is not yet verified.
pub(crate) struct Token<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    /// The claims, which can only be trusted after the signature was checked.
    pub(crate) claims: Claims,
}

/// The claims that STS and EKS Auth use.
#[derive(Clone, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: OneOrMany,
    /// Seconds since the epoch, like the other times.
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    #[serde(default)]
    pub(crate) amr: Option<OneOrMany>,
    #[serde(default, rename = "https://aws.amazon.com/tags")]
    pub(crate) tags: Option<TagClaim>,
    #[serde(default, rename = "https://aws.amazon.com/source_identity")]
    pub(crate) source_identity: Option<String>,
    /// Only used by EKS Auth, which checks its format.
    #[serde(default, rename = "kubernetes.io")]
    pub(crate) kubernetes: Option<serde_json::Value>,
}

/// The claim with session tags. Kubernetes does not set it; other issuers can.
#[derive(Clone, Deserialize)]
pub(crate) struct TagClaim {
    #[serde(default)]
    principal_tags: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
}

impl TagClaim {
    /// The tags. Each must have exactly one value.
    pub(crate) fn tags(&self) -> Result<Vec<(&str, &str)>, TokenError> {
        let tags = self.principal_tags.iter().map(|(key, values)| match values.list() {
            [value] => Ok((key.as_str(), value.as_str())),
            _ => Err(TokenError::NotAJwt("a tag in the claims does not have exactly one value")),
        });
        tags.collect()
    }

    /// The keys of the transitive tags.
    pub(crate) fn transitive(&self) -> impl Iterator<Item = &str> {
        self.transitive_tag_keys.iter().map(String::as_str)
    }
}

/// A claim that is a string or a list of strings.
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

/// Why a token is rejected. The text goes to the caller, and `detail` to the decision log.
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
        "No OpenIDConnect provider found in your account for {issuer}: {NO_SANDBOX_ACCOUNT} {account}; add it to \
         the chart's local.accounts, to the flag --account, or to `accounts` of the configuration file"
    )]
    NoAccount { issuer: String, account: String },
    #[error(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
    )]
    UnknownKey { kid: Option<String> },
    #[error(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
    )]
    Unreachable(DiscoveryError),
    #[error("The ID Token's signature is invalid")]
    Signature,
    #[error("Incorrect token audience")]
    Audience { actual: Vec<String>, accepted: Vec<String> },
    #[error(
        "Token expired: current date/time {now} must be before the expiration date/time {expiration}"
    )]
    Expired { now: i64, expiration: i64 },
    #[error("The ID Token is not valid yet")]
    NotYet { claim: &'static str, seconds: i64 },
}

impl TokenError {
    /// The reason for the decision log, which the caller does not see.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::NotAJwt(error) => (*error).to_owned(),
            Self::Algorithm(name) => format!("the token's alg is {name:?}"),
            Self::NoProvider { issuer, account } => {
                format!("account {account} has no OIDC provider with the URL {issuer:?}")
            }
            Self::NoAccount { .. } => self.to_string(),
            Self::UnknownKey { kid: Some(kid) } => format!("the provider has no key {kid:?}"),
            Self::UnknownKey { kid: None } => "the token does not name a key (kid)".to_owned(),
            Self::Unreachable(error) => error.to_string(),
            Self::Signature => "the token was not signed by the key that it names".to_owned(),
            Self::Audience { actual, accepted } => {
                format!(
                    "the token's audiences are {actual:?}, and the provider's client ids are {accepted:?}"
                )
            }
            Self::Expired { now, expiration } => {
                format!("the token expired {} s ago", now.saturating_sub(*expiration))
            }
            Self::NotYet { claim, seconds } => {
                format!("the token's {claim} is {seconds} s in the future")
            }
        }
    }
}

impl<'a> Token<'a> {
    /// Parses a token without verifying it.
    pub(crate) fn parse(text: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = text
            .rsplit_once('.')
            .ok_or(TokenError::NotAJwt("the token does not have three parts"))?;
        let (header, claims) = signed
            .split_once('.')
            .filter(|(_, claims)| !claims.contains('.'))
            .ok_or(TokenError::NotAJwt("the token does not have three parts"))?;
        let header: Header = part(header, "the token's header cannot be parsed")?;
        if header.crit.is_some() {
            return Err(TokenError::NotAJwt("the token's header requires extensions (crit)"));
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(TokenError::Algorithm(header.alg))?;
        Ok(Self {
            algorithm,
            kid: header.kid,
            signed,
            signature: decode(signature, "the token's signature is not base64url")?,
            claims: part(claims, "the token's claims iss, sub, aud, exp or iat cannot be parsed")?,
        })
    }

    /// The key id in the header.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Checks that the key in the header signed the token.
    pub(crate) fn check_signature(&self, keys: Option<&JwkSet>) -> Result<(), TokenError> {
        let unknown = || TokenError::UnknownKey { kid: self.kid.clone() };
        let kid = self.kid.as_deref().ok_or_else(unknown)?;
        let key = keys.and_then(|keys| keys.find(kid)).ok_or_else(unknown)?;
        let verified = key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature);
        verified.then_some(()).ok_or(TokenError::Signature)
    }
}

impl Claims {
    /// Returns the first audience that is in the provider's client ids.
    pub(crate) fn check_audience(&self, client_ids: &[Audience]) -> Result<String, TokenError> {
        let accepted = || client_ids.iter().map(Audience::as_str);
        let actual = self.aud.list();
        let found = actual.iter().find(|one| accepted().any(|id| id == *one));
        found.cloned().ok_or_else(|| TokenError::Audience {
            actual: actual.to_vec(),
            accepted: accepted().map(str::to_owned).collect(),
        })
    }

    /// Checks `exp`, like AWS without tolerance for clock skew.
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is intended")]
    pub(crate) fn check_expiry(&self, now: Timestamp) -> Result<(), TokenError> {
        let (now, expiration) = (now.as_second(), self.exp as i64);
        (now < expiration).then_some(()).ok_or(TokenError::Expired { now, expiration })
    }

    /// Checks `iat` and `nbf`, like AWS without tolerance for clock skew.
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is intended")]
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
