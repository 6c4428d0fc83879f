//! Why a role cannot be used, for programs.

use crate::{
    AssociationError, Partition, PermittedRolesError, Problem, RoleArn, RoleEntryError, Unreadable,
};

/// Why a role cannot be used. The first that applies, in this order, is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenialReason {
    /// The exchange `assume-role` takes roles from associations, and only an annotation names one.
    NoAssociation,
    /// The annotation's value is not the ARN of a role.
    BadRole(Box<Problem>),
    /// The ConfigMap's entry cannot be used.
    BadEntry(Box<RoleEntryError>),
    /// What the placeholders of a pattern expand to cannot be used.
    BadPattern(Box<AssociationError>),
    /// An object cannot be read whole, so what it grants or permits is not known.
    Unreadable(Box<Unreadable>),
    /// With `web-identity` a pod can call STS itself, without the session policy.
    PolicyNotEnforceable,
    /// EKS allows a session policy only without session tags.
    PolicyWithTags,
    /// The session policy is not a JSON object.
    MalformedPolicy,
    /// A target role needs an external ID, and EKS's form of it needs the cluster's ARN.
    NoExternalId,
    /// The role is of another partition than the one whose AWS the agent calls.
    WrongPartition {
        /// The role.
        role: Box<RoleArn>,
        /// The partition that the agent calls.
        partition: Partition,
    },
    /// The namespace does not permit the role.
    NotPermitted {
        /// The role.
        role: Box<RoleArn>,
        /// What does not permit it.
        by: NotPermittedBy,
    },
}

/// What does not permit a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotPermittedBy {
    /// The namespace's annotation.
    Annotation,
    /// The namespace's annotation, which cannot be read and therefore permits no role.
    Malformed(Box<PermittedRolesError>),
    /// These guard-rails, which select the namespace.
    Guardrails(Box<[String]>),
}

impl DenialReason {
    /// The name for programs: conditions, JSON and docs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoAssociation => "NoAssociation",
            Self::BadRole(_) | Self::BadEntry(_) | Self::BadPattern(_) => "BadRole",
            Self::Unreadable(_) => "UnreadableObject",
            Self::PolicyNotEnforceable => "PolicyNotEnforceable",
            Self::PolicyWithTags => "PolicyWithTags",
            Self::MalformedPolicy => "MalformedPolicy",
            Self::NoExternalId => "NoExternalID",
            Self::WrongPartition { .. } => "WrongPartition",
            Self::NotPermitted { .. } => "NotPermitted",
        }
    }

    /// The same for log fields and metric labels.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoAssociation => "no_association",
            Self::BadRole(_) | Self::BadEntry(_) | Self::BadPattern(_) => "bad_role",
            Self::Unreadable(_) => "unreadable_object",
            Self::PolicyNotEnforceable => "policy_not_enforceable",
            Self::PolicyWithTags => "policy_with_tags",
            Self::MalformedPolicy => "malformed_policy",
            Self::NoExternalId => "no_external_id",
            Self::WrongPartition { .. } => "wrong_partition",
            Self::NotPermitted { .. } => "not_permitted",
        }
    }
}
