//! Which source decides.

use super::{Facts, GrantRules};
use crate::{
    Association, CredentialProvider, Exchange, Problem, RoleArn, ServiceAccountAnnotations,
    role_map::RoleEntry,
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
    /// Its entry in the ConfigMap of roles.
    pub role_map: Option<&'a RoleEntry>,
}

/// The source that decides, and what it says.
pub(super) struct Choice<'a> {
    pub(super) source: Source,
    pub(super) provider: CredentialProvider,
    pub(super) role: NamedRole<'a>,
}

pub(super) enum NamedRole<'a> {
    Association(&'a Association, &'a RoleArn),
    Annotation(Result<&'a RoleArn, &'a Problem>),
    ConfigMap(&'a RoleArn),
    /// EKS chooses one.
    Eks,
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

impl<'a> Choice<'a> {
    pub(super) fn association(&self) -> Option<&'a Association> {
        match self.role {
            NamedRole::Association(association, _) => Some(association),
            NamedRole::Annotation(_) | NamedRole::ConfigMap(_) | NamedRole::Eks => None,
        }
    }
}

/// The first source that names the ServiceAccount; `None` if none does.
pub(super) fn choose<'a>(facts: &Facts<'a>, rules: &GrantRules) -> Option<Choice<'a>> {
    let sources = &facts.sources;
    let fixed = facts.provider.or(sources.fixed_provider());
    if let Some((source, association, role)) = sources.associated() {
        let provider = fixed.unwrap_or(CredentialProvider::Container);
        return Some(Choice { source, provider, role: NamedRole::Association(association, role) });
    }
    let annotations = sources.annotations;
    let annotated = match (&annotations.bad_role, &annotations.role) {
        (Some(problem), _) => Some(Err(problem)),
        (None, role) => role.as_ref().map(Ok),
    };
    if let Some(role) = annotated {
        let chosen = fixed.or(annotations.credentials);
        let provider = chosen.unwrap_or(rules.default_provider);
        let role = NamedRole::Annotation(role);
        return Some(Choice { source: Source::Annotation, provider, role });
    }
    if let Some(entry) = sources.role_map.filter(|_| config_map_counts(facts)) {
        let provider = CredentialProvider::WebIdentity;
        let role = NamedRole::ConfigMap(&entry.role);
        return Some(Choice { source: Source::ConfigMap, provider, role });
    }
    // An entry without a role, or a request at the agent, is enough for EKS to decide.
    let provider = fixed.filter(|_| rules.exchange == Exchange::EksAuth)?;
    let source = if sources.listed.is_some() { Source::ListFile } else { Source::Eks };
    Some(Choice { source, provider, role: NamedRole::Eks })
}

/// The ConfigMap grants web identity alone: agents do not read it, so with the provider
/// `container` they could not serve its roles.
pub(super) fn config_map_counts(facts: &Facts<'_>) -> bool {
    let fixed = facts.provider.or(facts.sources.fixed_provider());
    fixed != Some(CredentialProvider::Container)
}
