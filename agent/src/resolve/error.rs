//! Why a caller gets no session, and how to fix it.

use podrole_identity::{Association, Denial, DenialReason, Exchange, ServiceAccountRef};

use super::LookupError;

/// Why a caller has no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// No source names the ServiceAccount.
    #[error("{}", no_role(.service_account, *.exchange, .annotation, *.association_objects))]
    NoRole {
        /// The ServiceAccount.
        service_account: ServiceAccountRef,
        /// The exchange, which decides where a role can come from.
        exchange: Exchange,
        /// The annotation that names roles.
        annotation: String,
        /// Whether PodIdentityAssociations decide.
        association_objects: bool,
    },
    /// The same of a pod that has just started: an association may be on its way.
    #[error(
        "{0}; podrole looks again for some seconds, because what is applied together arrives in any order"
    )]
    NotYet(Box<ResolveError>),
    /// A source names it, and the role cannot be used.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The ServiceAccount was deleted.
    #[error("ServiceAccount {0} does not exist; create it and restart the pod")]
    NoServiceAccount(ServiceAccountRef),
    /// It was deleted and created again after the token was issued.
    #[error("ServiceAccount {0} was created again after this pod started; restart the pod")]
    ReplacedServiceAccount(ServiceAccountRef),
    /// The token's audience is neither the agent's nor the ServiceAccount's own.
    #[error(
        "the token has another audience; set the audience of its volume to {wanted}, or set \
         the ServiceAccount's annotation {annotation} to the token's"
    )]
    Audience {
        /// The audience to use.
        wanted: String,
        /// The annotation that names an audience.
        annotation: String,
    },
    /// The token is for an EKS Pod Identity association, and the exchange is another one.
    #[error(
        "the token is for EKS Pod Identity, and this agent's exchange is web-identity; to serve EKS's \
         associations set the chart's exchange=eks-auth and cluster.name (--exchange eks-auth \
         --cluster-name), otherwise create the pod again in a namespace that podrole handles"
    )]
    PodIdentityToken,
    /// A look-up failed.
    #[error("{0}; retry in a few seconds")]
    Lookup(#[from] LookupError),
    /// The API server does not know the namespace yet.
    #[error("the API server does not know the namespace {0} yet; retry in a few seconds")]
    NoNamespace(String),
    /// Patterns and guard-rails were not read yet.
    #[error("podrole has not finished loading patterns and guard-rails; retry in a few seconds")]
    NoObjects,
    /// The association list was not read yet.
    #[error("the association list could not be read yet; see the agent's log on this node")]
    NoList,
}

fn no_role(
    service_account: &ServiceAccountRef,
    exchange: Exchange,
    annotation: &str,
    association_objects: bool,
) -> String {
    let object = format!(
        "create a PodIdentityAssociation named {}",
        Association::object_name(service_account)
    );
    match (exchange, association_objects) {
        (Exchange::AssumeRole, true) => format!(
            "ServiceAccount {service_account} has no association with a role; ask the cluster's \
             administrator to {object}"
        ),
        (Exchange::AssumeRole, false) => format!(
            "ServiceAccount {service_account} has no association with a role; ask the cluster's \
             administrator to add one to the association list"
        ),
        (Exchange::WebIdentity | Exchange::EksAuth, true) => format!(
            "ServiceAccount {service_account} names no role; annotate it with {annotation}, or \
             {object}"
        ),
        (Exchange::WebIdentity | Exchange::EksAuth, false) => {
            format!("ServiceAccount {service_account} names no role; annotate it with {annotation}")
        }
    }
}

impl ResolveError {
    /// Whether no source names the ServiceAccount, as far as is known now.
    pub(crate) fn is_without_role(&self) -> bool {
        match self {
            Self::NoRole { .. } => true,
            Self::Denied(denial) => denial.reason == DenialReason::NoAssociation,
            _ => false,
        }
    }

    /// Whether the pod may have no session any more.
    pub(crate) fn ends_sessions(&self) -> bool {
        match self {
            Self::NoRole { .. } | Self::NoServiceAccount(_) => true,
            Self::Denied(denial) => !matches!(denial.reason, DenialReason::Unreadable(_)),
            _ => false,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Lookup(_)
            | Self::NoNamespace(_)
            | Self::NoList
            | Self::NoObjects
            | Self::NotYet(_) => 503,
            Self::ReplacedServiceAccount(_) => 403,
            Self::NoRole { .. } | Self::NoServiceAccount(_) => 404,
            Self::Audience { .. } | Self::PodIdentityToken => 400,
            Self::Denied(denial) => match denial.reason {
                DenialReason::NoAssociation => 404,
                DenialReason::NotPermitted { .. } => 403,
                DenialReason::Unreadable(_) => 503,
                _ => 400,
            },
        }
    }

    /// The code in the answer, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Lookup(_)
            | Self::NoNamespace(_)
            | Self::NoList
            | Self::NoObjects
            | Self::NotYet(_) => "TryAgain",
            Self::ReplacedServiceAccount(_) => "ServiceAccountReplaced",
            Self::NoRole { .. } | Self::NoServiceAccount(_) => "NoRole",
            Self::Audience { .. } | Self::PodIdentityToken => "InvalidToken",
            Self::Denied(denial) => match denial.reason {
                DenialReason::NoAssociation => "NoRole",
                DenialReason::NotPermitted { .. } => "RoleNotPermitted",
                DenialReason::Unreadable(_) => "TryAgain",
                DenialReason::PolicyNotEnforceable => "PolicyNotEnforceable",
                _ => "InvalidRole",
            },
        }
    }

    /// The label value in metrics.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Lookup(_)
            | Self::NoNamespace(_)
            | Self::NoList
            | Self::NoObjects
            | Self::NotYet(_) => "cluster",
            Self::Denied(denial) => match denial.reason {
                DenialReason::NotPermitted { .. } => "guard_rail",
                DenialReason::BadRole(_) | DenialReason::WrongPartition { .. } => "service_account",
                _ => "association",
            },
            Self::NoRole { .. }
            | Self::NoServiceAccount(_)
            | Self::ReplacedServiceAccount(_)
            | Self::Audience { .. }
            | Self::PodIdentityToken => "service_account",
        }
    }
}
