//! The two credential providers, and where a container finds their tokens.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The path that the agent serves.
pub const CREDENTIALS_PATH: &str = "/v1/credentials";
/// The addresses of the agent. The IPv6 one has no brackets, because clients do not match it with them
/// in `NO_PROXY`.
pub const AGENT_ADDRESSES: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];
/// The URL that the provider `container` calls, as on EKS.
pub const DEFAULT_FULL_URI: &str = "http://169.254.170.23/v1/credentials";

/// How a container gets credentials. SDKs prefer web identity if both are configured, so podrole
/// configures exactly one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialProvider {
    /// As with EKS's IRSA, the SDK calls STS with the pod's token.
    #[default]
    WebIdentity,
    /// As with EKS's Pod Identity, the SDK calls the agent.
    Container,
}

/// A text is not the name of a credential provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not web-identity or container")]
pub struct UnknownCredentialProvider(());

/// Where a provider's token is mounted in a pod.
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
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::WebIdentity, Self::Container];

    /// EKS's volume for this provider.
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

    /// The name in annotations, flags and texts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebIdentity => "web-identity",
            Self::Container => "container",
        }
    }
}

impl TokenVolume {
    /// Whether a mount at `path` is where containers mount this volume, as the kubelet compares paths.
    #[must_use]
    pub fn is_mounted_at(&self, path: &str) -> bool {
        path_components(path).eq(path_components(&self.mount_path))
    }

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

/// A path's components. `/a//b/` and `/a/b` have the same, as for the kubelet.
pub fn path_components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

impl fmt::Display for CredentialProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CredentialProvider {
    type Err = UnknownCredentialProvider;

    fn from_str(text: &str) -> Result<Self, UnknownCredentialProvider> {
        match text {
            "web-identity" => Ok(Self::WebIdentity),
            "container" => Ok(Self::Container),
            _ => Err(UnknownCredentialProvider(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_files_are_those_of_eks() {
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
    fn paths_are_compared_by_their_components() {
        let volume = CredentialProvider::WebIdentity.token_volume();
        for path in [
            "/var/run/secrets/eks.amazonaws.com/serviceaccount/",
            "//var/./run/secrets/eks.amazonaws.com//serviceaccount",
        ] {
            assert!(volume.is_mounted_at(path), "{path}");
        }
        assert!(!volume.is_mounted_at("/var/run/secrets/eks.amazonaws.com"));
    }

    #[test]
    fn a_provider_parses_what_it_prints() {
        for provider in CredentialProvider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
        }
        assert!("irsa".parse::<CredentialProvider>().is_err());
    }
}
