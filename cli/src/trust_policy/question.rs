//! A pod's way to a role, as the role's trust policy sees it.

use podrole_identity::{Partition, RequiredTrust, RoleArn, ServiceAccountRef};
use podrole_sandbox::{
    ClusterArn, UserArn,
    trust::{TrustCall, TrustCaller, TrustTag},
};

/// EKS's session tags that name the ServiceAccount, and those whose values differ by pod and cluster.
const NAMESPACE_TAG: &str = "kubernetes-namespace";
const SERVICE_ACCOUNT_TAG: &str = "kubernetes-service-account";
const OTHER_TAGS: [&str; 4] =
    ["eks-cluster-arn", "eks-cluster-name", "kubernetes-pod-name", "kubernetes-pod-uid"];

/// Whether a role's trust policy lets a ServiceAccount's pods have it.
#[derive(Clone, Debug)]
pub(crate) struct TrustQuestion {
    pub(crate) service_account: ServiceAccountRef,
    /// The role whose trust policy is examined.
    pub(crate) role: RoleArn,
    pub(crate) caller: AskingCaller,
    /// Whether the session carries EKS's session tags.
    pub(crate) has_tags: bool,
    /// The partition whose AWS the caller asks, if it is known.
    pub(crate) partition: Option<Partition>,
    /// The length of sessions that is asked for.
    pub(crate) duration_seconds: Option<u32>,
}

/// Who assumes the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskingCaller {
    /// The pod, by its token.
    WebIdentity { issuer: String, audiences: Vec<String> },
    /// The agent, by its source credentials; `None` if these are not known.
    Agent(Option<SourcePrincipal>),
    /// EKS Pod Identity, for this cluster if it is known.
    EksAuth(Option<ClusterArn>),
    /// The role before this one in a chain.
    RoleBefore { role: RoleArn, external_id: Option<String> },
}

/// The AWS identity of source credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourcePrincipal {
    Role(RoleArn),
    User(UserArn),
}

/// A text is not the ARN of a role or user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write the ARN of a role or user, such as arn:aws:iam::111122223333:role/podrole-agent")]
pub(crate) struct NotAPrincipal;

impl std::str::FromStr for SourcePrincipal {
    type Err = NotAPrincipal;

    fn from_str(text: &str) -> Result<Self, NotAPrincipal> {
        let role = text.parse().ok().map(Self::Role);
        role.or_else(|| UserArn::read(text).map(Self::User)).ok_or(NotAPrincipal)
    }
}

impl SourcePrincipal {
    /// Whether its credentials are a session of a role, so that each further role is a chain.
    pub(super) fn is_role(&self) -> bool {
        matches!(self, Self::Role(_))
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Role(role) => role.as_str(),
            Self::User(user) => user.as_str(),
        }
    }
}

impl TrustQuestion {
    /// What the trust policy must contain.
    pub(crate) fn required(&self) -> RequiredTrust {
        let tags = [
            (NAMESPACE_TAG, self.service_account.namespace()),
            (SERVICE_ACCOUNT_TAG, self.service_account.name()),
        ];
        let tags = tags.into_iter().filter(|_| self.has_tags);
        match &self.caller {
            AskingCaller::WebIdentity { issuer, audiences } => RequiredTrust::web_identity(
                issuer,
                &self.role,
                [&self.service_account],
                audiences.iter().map(String::as_str),
            ),
            AskingCaller::Agent(principal) => {
                RequiredTrust::assume_role(principal.as_ref().map(SourcePrincipal::as_str), tags)
            }
            AskingCaller::EksAuth(_) => RequiredTrust::eks_auth(tags),
            AskingCaller::RoleBefore { role, external_id } => {
                RequiredTrust::target(role, external_id.as_deref(), self.has_tags)
            }
        }
    }

    /// The session tags of the call. Not all values are known.
    pub(super) fn tags(&self) -> Vec<TrustTag> {
        if !self.has_tags || matches!(self.caller, AskingCaller::WebIdentity { .. }) {
            return Vec::new();
        }
        let tag = |key: &str, value: Option<&str>| TrustTag {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        };
        let mut tags = vec![
            tag(NAMESPACE_TAG, Some(self.service_account.namespace())),
            tag(SERVICE_ACCOUNT_TAG, Some(self.service_account.name())),
        ];
        tags.extend(OTHER_TAGS.map(|key| tag(key, None)));
        tags
    }

    /// The call to evaluate; `None` if the caller is not known.
    pub(super) fn call<'a>(
        &'a self,
        subject: &'a str,
        tags: &'a [TrustTag],
    ) -> Option<TrustCall<'a>> {
        let (caller, external_id) = match &self.caller {
            AskingCaller::WebIdentity { issuer, audiences } => {
                (TrustCaller::WebIdentity { issuer, subject, audiences }, None)
            }
            AskingCaller::Agent(None) => return None,
            AskingCaller::Agent(Some(SourcePrincipal::Role(role))) => {
                (TrustCaller::Role(role), None)
            }
            AskingCaller::Agent(Some(SourcePrincipal::User(user))) => {
                (TrustCaller::User(user), None)
            }
            AskingCaller::EksAuth(cluster) => (TrustCaller::EksAuth(cluster.as_ref()), None),
            AskingCaller::RoleBefore { role, external_id } => {
                (TrustCaller::Role(role), external_id.as_deref())
            }
        };
        Some(TrustCall { caller, role: &self.role, tags, external_id })
    }

    /// The ARN of the role or user that assumes the role.
    pub(super) fn caller_arn(&self) -> Option<&str> {
        match &self.caller {
            AskingCaller::Agent(principal) => principal.as_ref().map(SourcePrincipal::as_str),
            AskingCaller::RoleBefore { role, .. } => Some(role.as_str()),
            AskingCaller::WebIdentity { .. } | AskingCaller::EksAuth(_) => None,
        }
    }

    /// The issuer without its scheme, if the pod asks by its token.
    pub(super) fn issuer(&self) -> Option<&str> {
        match &self.caller {
            AskingCaller::WebIdentity { issuer, .. } => Some(podrole_identity::issuer_name(issuer)),
            _ => None,
        }
    }
}
