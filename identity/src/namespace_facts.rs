//! What is known of a namespace.

use jiff::Timestamp;

use crate::{
    Annotations, CREDENTIALS_ANNOTATION, CredentialProvider, Guardrails, INJECTION_LABEL,
    Injection, InjectionDefault, Labels, PERMITTED_ROLES_ANNOTATION, PERMITTED_SECRETS_ANNOTATION,
    PermittedRoles, PermittedSecrets, Problem,
};

/// The label of a namespace whose new pods all get the provider `container`, whether or not a source
/// names their ServiceAccount yet. It is a label because admission policies select by it.
pub const CREDENTIALS_LABEL: &str = CREDENTIALS_ANNOTATION;
/// The annotation of a namespace that ends the sessions of its pods that were obtained earlier
/// (RFC 3339).
pub const NOT_BEFORE_ANNOTATION: &str = "podrole.io/not-before";

/// What a namespace permits its pods and says about them. The default is a namespace without labels
/// and annotations, which permits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// The roles that its annotation permits its pods.
    pub permitted: PermittedRoles,
    /// The Secrets that annotations may add to its pods.
    pub secrets: PermittedSecrets,
    /// What it asks for by its label, or without one by the cluster's default.
    pub injection: Option<Injection>,
    /// Whether it has no such label at all, so that it has not decided.
    pub is_unlabelled: bool,
    /// The provider of its pods whose ServiceAccount no source names; only `container` can be set.
    pub credentials: Option<CredentialProvider>,
    /// Sessions of its pods that were obtained before this time are not served.
    pub not_before: Option<Timestamp>,
    /// Set if [`NOT_BEFORE_ANNOTATION`] cannot be read and is ignored.
    pub bad_not_before: Option<Problem>,
    /// Its labels, which patterns and guard-rails select by.
    pub labels: Labels,
    /// When its labels were last changed. Only the agent reads it.
    pub labelled: LabelTimes,
}

/// When the labels were last changed by which a namespace asks for credentials, if that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelTimes {
    /// [`INJECTION_LABEL`]; if the namespace has none, when it was created.
    pub injection: Option<Timestamp>,
    /// [`CREDENTIALS_LABEL`].
    pub credentials: Option<Timestamp>,
}

impl NamespaceFacts {
    /// Whether the namespace of this name limits the roles of its pods, by its annotation or by a guard-rail.
    #[must_use]
    pub fn is_guarded(&self, name: &str, guardrails: &Guardrails) -> bool {
        self.permitted != PermittedRoles::Any || guardrails.select(name, &self.labels)
    }

    /// Reads a Namespace's labels and annotations.
    #[must_use]
    pub fn read(labels: Labels, annotations: &Annotations, default: InjectionDefault) -> Self {
        let annotation = |key: &str| annotations.get(key).map(String::as_str);
        let injection = labels.get(INJECTION_LABEL).map(String::as_str);
        let wants_container = labels.get(CREDENTIALS_LABEL).map(|value| value.parse());
        let container = Some(CredentialProvider::Container);
        let (not_before, bad_not_before) =
            match annotation(NOT_BEFORE_ANNOTATION).map(|text| (text, text.parse())) {
                None => (None, None),
                Some((_, Ok(time))) => (Some(time), None),
                Some((text, Err(_))) => {
                    let error = "it is not a time like 2026-11-30T12:00:00Z";
                    (None, Some(Problem::new(NOT_BEFORE_ANNOTATION, text, error)))
                }
            };
        Self {
            permitted: PermittedRoles::read(annotation(PERMITTED_ROLES_ANNOTATION)),
            secrets: PermittedSecrets::read(annotation(PERMITTED_SECRETS_ANNOTATION)),
            injection: default.of_namespace(injection),
            is_unlabelled: injection.is_none(),
            credentials: container.filter(|it| wants_container == Some(Ok(*it))),
            not_before,
            bad_not_before,
            labels,
            labelled: LabelTimes::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> NamespaceFacts {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        NamespaceFacts::read(owned(labels), &owned(annotations), InjectionDefault::Labelled)
    }

    #[test]
    fn labels_choose_injection_and_the_provider_container() {
        let facts = read(
            &[("podrole.io/injection", "required"), ("podrole.io/credentials", "container")],
            &[],
        );
        assert_eq!(facts.injection, Some(Injection::Required));
        assert_eq!(facts.credentials, Some(CredentialProvider::Container));
        let other = read(&[("podrole.io/credentials", "web-identity")], &[]);
        assert_eq!((other.credentials, other.is_unlabelled), (None, true));
    }

    #[test]
    fn a_malformed_time_is_ignored_and_reported() {
        let facts = read(&[], &[("podrole.io/not-before", "2026-11-30T12:00:00Z")]);
        assert_eq!(facts.not_before.unwrap().to_string(), "2026-11-30T12:00:00Z");
        let facts = read(&[], &[("podrole.io/not-before", "yesterday")]);
        assert_eq!(facts.not_before, None);
        assert!(facts.bad_not_before.unwrap().to_string().contains("2026-11-30T12:00:00Z"));
    }
}
