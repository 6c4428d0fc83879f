//! Why a caller gets no session asked for, and what mends it.

use podrole_identity::{Problem, RoleArn, ServiceAccountRef};

use super::LookupError;

/// Why a caller has no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The ServiceAccount names no role.
    #[error("ServiceAccount {0} names no role; annotate it with eks.amazonaws.com/role-arn")]
    NoRole(ServiceAccountRef),
    /// Roles come from associations, and there is none.
    #[error(
        "ServiceAccount {0} has no association with a role; ask whoever runs the cluster to add \
         one (annotations name roles here only with --allow-annotation-roles and the namespace's \
         annotation podrole.io/permitted-roles)"
    )]
    NoAssociation(ServiceAccountRef),
    /// There is no such ServiceAccount any more.
    #[error("ServiceAccount {0} does not exist; create it and restart the pod")]
    NoAccount(ServiceAccountRef),
    /// It was deleted and made again after the token was made.
    #[error("ServiceAccount {0} was created anew after this pod started; restart the pod")]
    OtherAccount(ServiceAccountRef),
    /// What it names is no role.
    #[error("the role of ServiceAccount {account} cannot be used; mend its annotation {problem}")]
    BadRole {
        /// The ServiceAccount.
        account: ServiceAccountRef,
        /// What is wrong with the annotation.
        problem: Problem,
    },
    /// The role is of a part of AWS that the agent does not ask.
    #[error(
        "the role {role} is not of the partition {partition}, whose AWS this agent asks; name a \
         role of that partition"
    )]
    Partition {
        /// The role.
        role: RoleArn,
        /// The partition of the agent's region.
        partition: &'static str,
    },
    /// The namespace's guard-rail does not name the role.
    #[error(
        "namespace {namespace} may not become {role}; its annotation podrole.io/permitted-roles \
         must name the role"
    )]
    NotPermitted {
        /// The namespace.
        namespace: String,
        /// The role.
        role: RoleArn,
    },
    /// A session policy that nobody could enforce.
    #[error(
        "the association of {0} has a policy, and with web identity the pod could go round it; \
         take the policy out, or use the exchange assume-role"
    )]
    PolicyNotEnforceable(ServiceAccountRef),
    /// A session policy beside session tags.
    #[error("the association of {0} has a policy, which needs disableSessionTags too; set it")]
    PolicyWithTags(ServiceAccountRef),
    /// The external ID's own text needs the cluster's name.
    #[error(
        "the association of {0} has a targetRoleArn and no externalId; set one, or start the \
         agent with --cluster-name and --cluster-arn"
    )]
    NoExternalId(ServiceAccountRef),
    /// The token's audience is neither the agent's nor the ServiceAccount's own.
    #[error(
        "the token is for another audience; its volume must ask for the audience {wanted} \
         (or name the token's own with the annotation eks.amazonaws.com/audience)"
    )]
    Audience {
        /// The audience to ask for.
        wanted: String,
    },
    /// Something is not known just now.
    #[error("{0}; it is tried again with the next request")]
    Lookup(#[from] LookupError),
    /// The namespace is not known yet.
    #[error("namespace {0} is not known here yet; it is tried again with the next request")]
    NoNamespace(String),
    /// The association list was never read.
    #[error("the association list could not be read yet; see the agent's log on this node")]
    NoList,
}

impl ResolveError {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Lookup(_) | Self::NoNamespace(_) | Self::NoList => 503,
            Self::OtherAccount(_) | Self::NotPermitted { .. } => 403,
            Self::NoRole(_) | Self::NoAssociation(_) | Self::NoAccount(_) => 404,
            Self::BadRole { .. }
            | Self::Partition { .. }
            | Self::PolicyNotEnforceable(_)
            | Self::PolicyWithTags(_)
            | Self::NoExternalId(_)
            | Self::Audience { .. } => 400,
        }
    }

    /// The code in the answer: a word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Lookup(_) | Self::NoNamespace(_) | Self::NoList => "TryAgain",
            Self::OtherAccount(_) => "ServiceAccountReplaced",
            Self::NotPermitted { .. } => "RoleNotPermitted",
            Self::NoRole(_) | Self::NoAssociation(_) | Self::NoAccount(_) => "NoRole",
            Self::Audience { .. } => "InvalidToken",
            Self::PolicyNotEnforceable(_) => "PolicyNotEnforceable",
            _ => "InvalidRole",
        }
    }

    /// The word that metrics use.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Lookup(_) | Self::NoNamespace(_) | Self::NoList => "cluster",
            Self::NotPermitted { .. } => "guard-rail",
            Self::NoAssociation(_)
            | Self::PolicyNotEnforceable(_)
            | Self::PolicyWithTags(_)
            | Self::NoExternalId(_) => "association",
            _ => "service-account",
        }
    }
}
