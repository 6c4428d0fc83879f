//! The sources of roles, and what each says about a ServiceAccount.

use crate::{
    Association, CredentialProvider, RoleArn, ServiceAccountAnnotations,
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
    /// The ServiceAccount's annotation.
    Annotation,
    /// The ConfigMap of roles.
    ConfigMap,
    /// EKS's own associations, which only EKS Auth can read.
    Eks,
}

/// What each source says about one ServiceAccount.
///
/// Patterns will be asked between the list file and the annotation.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Its PodIdentityAssociation.
    pub association: Option<&'a Association>,
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
            Self::Annotation => "annotation",
            Self::ConfigMap => "ConfigMap",
            Self::Eks => "EKS",
        }
    }
}

impl<'a> Sources<'a> {
    /// Whether any source says something about the ServiceAccount. If none does, the namespace's
    /// facts cannot change the decision and need not be looked up.
    #[must_use]
    pub fn name_it(&self) -> bool {
        self.association.is_some()
            || self.listed.is_some()
            || self.annotations.names_role()
            || self.role_map.is_some()
    }

    /// The provider that an association fixes, with or without a role.
    pub(super) fn fixed_provider(&self) -> Option<CredentialProvider> {
        let is_associated = self.association.is_some() || self.listed.is_some();
        is_associated.then_some(CredentialProvider::Container)
    }

    pub(super) fn associated(&self) -> Option<(Source, &'a Association, &'a RoleArn)> {
        let both = [(Source::Association, self.association), (Source::ListFile, self.listed)];
        both.into_iter().find_map(|(source, association)| {
            let association = association?;
            Some((source, association, association.role.as_ref()?))
        })
    }
}
