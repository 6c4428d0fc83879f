//! The sources of roles, and what each says about a ServiceAccount.

use crate::{
    Association, CredentialProvider, ServiceAccountAnnotations, Unreadable,
    role_map::{RoleEntry, RoleEntryError},
};

/// Where a role comes from, in the order in which the sources are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// A PodIdentityAssociation.
    Association,
    /// An entry of the association list file.
    ListFile,
    /// A PodIdentityPattern.
    Pattern,
    /// The ServiceAccount's annotation.
    Annotation,
    /// The ConfigMap of roles.
    ConfigMap,
    /// EKS's own associations, which only EKS Auth can read.
    Eks,
}

/// What each source of one ServiceAccount says about it. Patterns are for many, and are among the
/// [`Facts`](super::Facts).
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Its PodIdentityAssociation, or why that cannot be read.
    pub association: Option<Result<&'a Association, &'a Unreadable>>,
    /// Its entry in the association list file.
    pub listed: Option<&'a Association>,
    /// Its annotations.
    pub annotations: &'a ServiceAccountAnnotations,
    /// Its entry in the ConfigMap of roles, or why that cannot be used.
    pub role_map: Option<Result<&'a RoleEntry, &'a RoleEntryError>>,
}

impl Source {
    /// The source for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Association => "association",
            Self::ListFile => "association list",
            Self::Pattern => "pattern",
            Self::Annotation => "annotation",
            Self::ConfigMap => "ConfigMap",
            Self::Eks => "EKS",
        }
    }
}

impl Sources<'_> {
    /// The provider that an association fixes, with or without a role.
    pub(super) fn fixed_provider(&self) -> Option<CredentialProvider> {
        let is_associated = self.association.is_some() || self.listed.is_some();
        is_associated.then_some(CredentialProvider::Container)
    }
}
