//! The two ways by which a container gets credentials, and where their tokens stand.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The path that the agent serves.
pub const CREDENTIALS_PATH: &str = "/v1/credentials";
/// The URL that the container provider asks, as on EKS.
pub const DEFAULT_FULL_URI: &str = "http://169.254.170.23/v1/credentials";

/// Which of the two ways a container goes. SDKs prefer web identity where they find both, so a
/// container is given exactly one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialProvider {
    /// EKS's IRSA: the SDK asks STS itself with the pod's token.
    #[default]
    WebIdentity,
    /// EKS's Pod Identity: the SDK asks the agent.
    Container,
}

/// Where a path's token stands in a pod. The texts are those of EKS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenVolume {
    /// The volume's name.
    pub name: String,
    /// Where containers mount it.
    pub mount_path: String,
    /// The token's file name in it.
    pub file: String,
}

impl CredentialProvider {
    /// EKS's volume for this path.
    #[must_use]
    pub fn token_volume(self) -> TokenVolume {
        let (name, mount_path, file) = match self {
            Self::WebIdentity => {
                ("aws-iam-token", "/var/run/secrets/eks.amazonaws.com/serviceaccount", "token")
            }
            Self::Container => (
                "eks-pod-identity-token",
                "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
                "eks-pod-identity-token",
            ),
        };
        TokenVolume { name: name.into(), mount_path: mount_path.into(), file: file.into() }
    }

    /// The word that metrics, logs and audit annotations use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebIdentity => "web-identity",
            Self::Container => "container",
        }
    }
}

impl TokenVolume {
    /// The token's whole path, with doubled and trailing slashes removed.
    #[must_use]
    pub fn token_file(&self) -> String {
        let parts = self.mount_path.split('/').filter(|part| !part.is_empty());
        let mut path: String = parts.flat_map(|part| ["/", part]).collect();
        path.push('/');
        path.push_str(&self.file);
        path
    }
}

impl fmt::Display for CredentialProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CredentialProvider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "web-identity" => Ok(Self::WebIdentity),
            "container" => Ok(Self::Container),
            _ => Err("it is neither web-identity nor container".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_stand_where_eks_puts_them() {
        assert_eq!(
            CredentialProvider::WebIdentity.token_volume().token_file(),
            "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
        );
        assert_eq!(
            CredentialProvider::Container.token_volume().token_file(),
            "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"
        );
    }

    #[test]
    fn a_token_file_has_no_doubled_slashes() {
        let volume = TokenVolume {
            name: "v".into(),
            mount_path: "//var//run/secrets/".into(),
            file: "token".into(),
        };
        assert_eq!(volume.token_file(), "/var/run/secrets/token");
    }

    #[test]
    fn a_path_reads_what_it_prints() {
        for path in [CredentialProvider::WebIdentity, CredentialProvider::Container] {
            assert_eq!(path.to_string().parse(), Ok(path));
        }
        assert!("irsa".parse::<CredentialProvider>().is_err());
    }
}
