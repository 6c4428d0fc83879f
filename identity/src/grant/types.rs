//! What goes into a decision and what comes out.

use std::sync::Arc;

use jiff::Timestamp;

use super::source::{Source, Sources};
use crate::{
    ClusterId, CredentialProvider, Exchange, Guardrails, Labels, NamespaceFacts, Partition,
    Patterns, RoleArn, ServiceAccountRef, SessionNameTemplate,
};

/// The cluster-wide settings of the decision. Both daemons get them from the same flags.
///
/// The default is that of the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRules {
    /// How the agent exchanges a pod's token for credentials.
    pub exchange: Exchange,
    /// The partition whose AWS the agent calls; `None` if no region is configured, and then the
    /// roles' partitions are not compared.
    pub partition: Option<Partition>,
    /// The provider of annotated ServiceAccounts that do not choose one.
    pub default_provider: CredentialProvider,
    /// Whether, with the exchange `assume-role`, annotations may name roles in namespaces with a
    /// guard-rail.
    pub annotation_roles: bool,
    /// Whether sessions of the exchange `assume-role` carry EKS's session tags.
    pub session_tags: bool,
    /// The cluster, for session tags and external IDs.
    pub cluster: Option<ClusterId>,
}

impl Default for GrantRules {
    fn default() -> Self {
        Self {
            exchange: Exchange::default(),
            partition: None,
            default_provider: CredentialProvider::default(),
            annotation_roles: false,
            session_tags: true,
            cluster: None,
        }
    }
}

/// Everything known about one ServiceAccount.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The ServiceAccount.
    pub service_account: &'a ServiceAccountRef,
    /// Its labels, which patterns may select by.
    pub labels: &'a Labels,
    /// What each source says about it.
    pub sources: Sources<'a>,
    /// All patterns.
    pub patterns: &'a Patterns,
    /// All guard-rails.
    pub guardrails: &'a Guardrails,
    /// Its namespace.
    pub namespace: &'a NamespaceFacts,
    /// The provider, if it is settled: a request at the agent's address has chosen `container`.
    pub provider: Option<CredentialProvider>,
}

/// A role, with all that the patch and the session need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which source decided.
    pub source: Source,
    /// The name of the pattern, if one decided.
    pub pattern: Option<Arc<str>>,
    /// How containers get the credentials.
    pub provider: CredentialProvider,
    /// The roles to assume, one after the other. Empty with the exchange `eks-auth` and the
    /// provider `container`, because EKS then chooses the role.
    pub steps: Vec<RoleStep>,
    /// The session name, if the association sets one.
    pub session_name: Option<SessionNameTemplate>,
    /// Which of EKS's session tags the session carries.
    pub session_tags: SessionTags,
    /// Sessions that were obtained before this time are not served.
    pub not_before: Option<Timestamp>,
}

/// Which of EKS's session tags a session carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTags {
    /// None.
    Off,
    /// Those of the cluster and the ServiceAccount, so that its pods can share a session.
    ServiceAccount,
    /// Those of the pod too.
    Pod,
}

impl Grant {
    /// The role that the pods' credentials are of; `None` if EKS chooses it.
    #[must_use]
    pub fn role(&self) -> Option<&RoleArn> {
        self.steps.last().map(|step| &step.role)
    }
}

/// One AssumeRole of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoleStep {
    /// The role.
    pub role: RoleArn,
    /// The external ID to send.
    pub external_id: Option<String>,
    /// The session policy to send.
    pub policy: Option<String>,
    /// The session's duration in seconds; `None` leaves it to AWS.
    pub duration_seconds: Option<u32>,
}
