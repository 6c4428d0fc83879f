//! Which source decides.

use std::{borrow::Cow, sync::Arc};

use super::{Facts, GrantRules, Source};
use crate::{
    Association, AssociationError, CredentialProvider, Exchange, Pattern, Problem, RoleArn,
    RoleEntryError, Unreadable,
};

/// The source that decides, and what it says.
pub(super) struct Choice<'a> {
    pub(super) source: Source,
    /// The pattern, if one decides.
    pub(super) pattern: Option<Arc<str>>,
    pub(super) provider: CredentialProvider,
    pub(super) role: NamedRole<'a>,
}

pub(super) enum NamedRole<'a> {
    Association(Box<Cow<'a, Association>>, RoleArn),
    /// What the placeholders of the pattern expand to cannot be used.
    BadPattern(AssociationError),
    Unreadable(&'a Unreadable),
    Annotation(Result<&'a RoleArn, &'a Problem>),
    ConfigMap(Result<&'a RoleArn, &'a RoleEntryError>),
    /// EKS chooses one.
    Eks,
}

impl Choice<'_> {
    pub(super) fn association(&self) -> Option<&Association> {
        match &self.role {
            NamedRole::Association(association, _) => Some(association),
            _ => None,
        }
    }
}

/// The first source that names the ServiceAccount; `None` if none does.
pub(super) fn choose<'a>(facts: &Facts<'a>, rules: &GrantRules) -> Option<Choice<'a>> {
    let sources = &facts.sources;
    let fixed = facts.provider.or(sources.fixed_provider());
    let container = fixed.unwrap_or(CredentialProvider::Container);
    let chosen = |source, provider, role| Choice { source, pattern: None, provider, role };
    match sources.association {
        Some(Err(unreadable)) => {
            return Some(chosen(Source::Association, container, NamedRole::Unreadable(unreadable)));
        }
        Some(Ok(association)) => {
            if let Some(role) = with_role(association) {
                return Some(chosen(Source::Association, container, role));
            }
        }
        None => {}
    }
    if let Some(role) = sources.listed.and_then(with_role) {
        return Some(chosen(Source::ListFile, container, role));
    }
    if let Some(pattern) = pattern(facts) {
        let role = patterned(pattern, facts);
        let name = Some(pattern.name().into());
        return Some(Choice { pattern: name, ..chosen(Source::Pattern, container, role) });
    }
    let annotations = sources.annotations;
    let annotated = match (&annotations.bad_role, &annotations.role) {
        (Some(problem), _) => Some(Err(problem)),
        (None, role) => role.as_ref().map(Ok),
    };
    if let Some(role) = annotated {
        let provider = fixed.or(annotations.credentials).unwrap_or(rules.default_provider);
        return Some(chosen(Source::Annotation, provider, NamedRole::Annotation(role)));
    }
    if let Some(entry) = sources.role_map.filter(|_| config_map_counts(facts)) {
        let role = NamedRole::ConfigMap(entry.map(|entry| &entry.role));
        return Some(chosen(Source::ConfigMap, CredentialProvider::WebIdentity, role));
    }
    // An entry without a role, or a request at the agent, is enough for EKS to decide.
    let provider = fixed.filter(|_| rules.exchange == Exchange::EksAuth)?;
    let source = if sources.listed.is_some() { Source::ListFile } else { Source::Eks };
    Some(chosen(source, provider, NamedRole::Eks))
}

fn with_role(association: &Association) -> Option<NamedRole<'_>> {
    let role = association.role.clone()?;
    Some(NamedRole::Association(Box::new(Cow::Borrowed(association)), role))
}

/// The pattern that is for the ServiceAccount.
pub(super) fn pattern<'a>(facts: &Facts<'a>) -> Option<&'a Pattern> {
    facts.patterns.find(facts.service_account, facts.labels, &facts.namespace.labels)
}

fn patterned<'a>(pattern: &'a Pattern, facts: &Facts<'a>) -> NamedRole<'a> {
    match pattern.association(facts.service_account) {
        Err(unreadable) => NamedRole::Unreadable(unreadable),
        Ok(Err(error)) => NamedRole::BadPattern(error),
        Ok(Ok(association)) => match association.role.clone() {
            Some(role) => NamedRole::Association(Box::new(Cow::Owned(association)), role),
            // A pattern always has a role.
            None => NamedRole::BadPattern(AssociationError::NoRole("roleARN")),
        },
    }
}

/// The ConfigMap grants web identity alone: agents do not read it, so with the provider
/// `container` they could not serve its roles.
pub(super) fn config_map_counts(facts: &Facts<'_>) -> bool {
    let fixed = facts.provider.or(facts.sources.fixed_provider());
    fixed != Some(CredentialProvider::Container)
}
