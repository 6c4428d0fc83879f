//! Which source decides.

use super::{Facts, GrantRules, Source};
use crate::{Association, CredentialProvider, Exchange, Problem, RoleArn, RoleEntryError};

/// The source that decides, and what it says.
pub(super) struct Choice<'a> {
    pub(super) source: Source,
    pub(super) provider: CredentialProvider,
    pub(super) role: NamedRole<'a>,
}

pub(super) enum NamedRole<'a> {
    Association(&'a Association, &'a RoleArn),
    Annotation(Result<&'a RoleArn, &'a Problem>),
    ConfigMap(Result<&'a RoleArn, &'a RoleEntryError>),
    /// EKS chooses one.
    Eks,
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
        let role = NamedRole::ConfigMap(entry.map(|entry| &entry.role));
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
