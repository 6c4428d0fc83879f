//! The audience of tokens, and how the agent exchanges them for credentials.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The audience that IAM's OIDC providers list for web identity.
pub const STS_AUDIENCE: &str = "sts.amazonaws.com";
/// The audience of EKS Pod Identity.
pub const POD_IDENTITY_AUDIENCE: &str = "pods.eks.amazonaws.com";
/// The audience of the token that an agent shows to the one that it replaces.
pub const AGENT_AUDIENCE: &str = "podrole.io/agent";

/// The audience of a projected token. It is never empty: the API server would then use its own
/// audience, which STS rejects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Audience(String);

/// Why a text is not an audience.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AudienceError {
    /// It is empty or only whitespace.
    #[error("an audience cannot be empty")]
    Empty,
    /// It has whitespace or control characters.
    #[error("an audience cannot contain whitespace")]
    Blank,
}

/// How the agent turns a pod's token into AWS credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exchange {
    /// AssumeRoleWithWebIdentity with the pod's own token. The agent needs no AWS permissions.
    #[default]
    WebIdentity,
    /// AssumeRole with the agent's source credentials and EKS's six session tags.
    AssumeRole,
    /// AssumeRoleForPodIdentity at EKS Auth.
    EksAuth,
}

/// A text is not the name of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an exchange is web-identity, assume-role or eks-auth")]
pub struct UnknownExchange(());

impl Exchange {
    /// The audience of tokens for the agent. STS accepts only an audience that the OIDC provider
    /// lists, and EKS Auth only its own.
    #[must_use]
    pub fn audience(self) -> Audience {
        match self {
            Self::WebIdentity => Audience(STS_AUDIENCE.to_owned()),
            Self::AssumeRole | Self::EksAuth => Audience(POD_IDENTITY_AUDIENCE.to_owned()),
        }
    }
}

impl Audience {
    /// The audience as in the token's `aud` claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// STS's audience, the default of web identity.
    #[must_use]
    pub fn sts() -> Self {
        Self(STS_AUDIENCE.to_owned())
    }

    /// The audience between agents.
    #[must_use]
    pub fn agent() -> Self {
        Self(AGENT_AUDIENCE.to_owned())
    }
}

impl FromStr for Audience {
    type Err = AudienceError;

    fn from_str(text: &str) -> Result<Self, AudienceError> {
        if text.trim().is_empty() {
            return Err(AudienceError::Empty);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(AudienceError::Blank);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Audience {
    type Error = AudienceError;

    fn try_from(text: String) -> Result<Self, AudienceError> {
        text.parse()
    }
}

impl From<Audience> for String {
    fn from(audience: Audience) -> Self {
        audience.0
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Exchange {
    type Err = UnknownExchange;

    fn from_str(text: &str) -> Result<Self, UnknownExchange> {
        match text {
            "web-identity" => Ok(Self::WebIdentity),
            "assume-role" => Ok(Self::AssumeRole),
            "eks-auth" => Ok(Self::EksAuth),
            _ => Err(UnknownExchange(())),
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebIdentity => "web-identity",
            Self::AssumeRole => "assume-role",
            Self::EksAuth => "eks-auth",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_audience_is_rejected() {
        assert_eq!("".parse::<Audience>(), Err(AudienceError::Empty));
        assert_eq!(" \t".parse::<Audience>(), Err(AudienceError::Empty));
        assert_eq!("a b".parse::<Audience>(), Err(AudienceError::Blank));
        assert_eq!("sts.amazonaws.com".parse::<Audience>(), Ok(Audience::sts()));
    }

    #[test]
    fn the_audience_follows_the_exchange() {
        assert_eq!(Exchange::WebIdentity.audience().as_str(), "sts.amazonaws.com");
        assert_eq!(Exchange::AssumeRole.audience().as_str(), "pods.eks.amazonaws.com");
        assert_eq!(Exchange::EksAuth.audience().as_str(), "pods.eks.amazonaws.com");
    }

    #[test]
    fn an_exchange_parses_what_it_prints() {
        for exchange in [Exchange::WebIdentity, Exchange::AssumeRole, Exchange::EksAuth] {
            assert_eq!(exchange.to_string().parse(), Ok(exchange));
        }
        assert!("irsa".parse::<Exchange>().is_err());
    }
}
