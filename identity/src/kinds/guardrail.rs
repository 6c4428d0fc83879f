//! `PodIdentityGuardrail`: the roles that the pods of namespaces may use.

use serde::Deserialize;

use super::{
    object::{Kind, RawObject, by_age},
    selector::{Globs, LabelSelector, NamespaceSelection},
    unreadable::Unreadable,
};
use crate::{Labels, RoleArn, RolePattern};

/// All guard-rails. Those that select a namespace add up; a namespace that none selects permits
/// every role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guardrails(Vec<Guardrail>);

/// A guard-rail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    name: String,
    /// `None` if it cannot be read: then it selects every namespace.
    namespaces: Option<NamespaceSelection>,
    permitted: Permitted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Permitted {
    Roles(Vec<RolePattern>),
    /// There are too many guard-rails. It permits none, so that a flood of guard-rails removes no
    /// restriction.
    OverLimit,
    /// A pattern is not one. It permits none.
    Malformed,
    /// It has a field that is not known.
    Unreadable(Unreadable),
}

/// What the guard-rails of a namespace say to a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GuardrailVerdict {
    Permitted,
    /// None of these permits it.
    NotPermitted(Vec<String>),
    /// One of them cannot be read, and none of the others permits it.
    Unreadable(Unreadable),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawGuardrail {
    namespaces: Option<Globs>,
    namespace_selector: Option<LabelSelector>,
    permitted_roles: Vec<String>,
}

/// What is read of a guard-rail that has unknown fields.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSelection {
    namespaces: Option<Globs>,
    namespace_selector: Option<LabelSelector>,
}

static NONE: Guardrails = Guardrails(Vec::new());

impl Guardrails {
    /// No guard-rail.
    #[must_use]
    pub fn none() -> &'static Self {
        &NONE
    }

    /// Reads all guard-rails of the cluster. Of more than [`super::object::MAX_SELECTING_OBJECTS`] the newest
    /// permit no role.
    #[must_use]
    pub fn read<'a>(objects: impl IntoIterator<Item = RawObject<'a>>) -> Self {
        let read = by_age(objects).into_iter().map(|(object, counts)| {
            let guardrail = Guardrail::read(&object);
            let permitted = if counts { guardrail.permitted } else { Permitted::OverLimit };
            Guardrail { permitted, ..guardrail }
        });
        Self(read.collect())
    }

    pub(crate) fn check(
        &self,
        role: &RoleArn,
        namespace: &str,
        labels: &Labels,
    ) -> GuardrailVerdict {
        let selecting = self.0.iter().filter(|it| it.selects(namespace, labels));
        let selecting: Vec<&Guardrail> = selecting.collect();
        if selecting.is_empty() || selecting.iter().any(|it| it.permits(role)) {
            return GuardrailVerdict::Permitted;
        }
        let unreadable = selecting.iter().find_map(|it| match &it.permitted {
            Permitted::Unreadable(unreadable) => Some(unreadable.clone()),
            _ => None,
        });
        match unreadable {
            Some(unreadable) => GuardrailVerdict::Unreadable(unreadable),
            None => {
                let names = selecting.into_iter().map(|it| it.name.clone());
                GuardrailVerdict::NotPermitted(names.collect())
            }
        }
    }

    /// Whether any guard-rail selects the namespace.
    #[must_use]
    pub fn select(&self, namespace: &str, labels: &Labels) -> bool {
        self.0.iter().any(|it| it.selects(namespace, labels))
    }

    /// The names of the guard-rails that permit no role because there are too many.
    pub fn over_limit(&self) -> impl Iterator<Item = &str> {
        let over = self.0.iter().filter(|it| it.permitted == Permitted::OverLimit);
        over.map(|it| it.name.as_str())
    }

    /// The guard-rails that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &Unreadable> {
        self.0.iter().filter_map(|it| match &it.permitted {
            Permitted::Unreadable(unreadable) => Some(unreadable),
            _ => None,
        })
    }
}

impl Guardrail {
    fn read(object: &RawObject<'_>) -> Self {
        let name = object.name.to_owned();
        let raw: Result<RawGuardrail, _> = serde_json::from_value(object.spec.clone());
        let (selection, permitted) = match raw {
            Ok(raw) => {
                let patterns = raw.permitted_roles.iter().map(|text| RolePattern::read(text));
                let patterns: Result<Vec<_>, _> = patterns.collect();
                let permitted = patterns.map_or(Permitted::Malformed, Permitted::Roles);
                let (globs, selector) = (raw.namespaces, raw.namespace_selector);
                (Some(NamespaceSelection { globs, selector }), permitted)
            }
            Err(error) => {
                let raw: Result<RawSelection, _> = serde_json::from_value(object.spec.clone());
                let selection = raw.ok().map(|raw| NamespaceSelection {
                    globs: raw.namespaces,
                    selector: raw.namespace_selector,
                });
                let unreadable = Unreadable::new(Kind::Guardrail, object.name, error);
                (selection, Permitted::Unreadable(unreadable))
            }
        };
        // Without globs and selector it would select all namespaces: so does one that is not known.
        Self { name, namespaces: selection.filter(|it| !it.is_empty()), permitted }
    }

    fn selects(&self, namespace: &str, labels: &Labels) -> bool {
        self.namespaces.as_ref().is_none_or(|it| it.matches(namespace, labels))
    }

    fn permits(&self, role: &RoleArn) -> bool {
        match &self.permitted {
            Permitted::Roles(patterns) => patterns.iter().any(|it| it.matches(role.as_str())),
            Permitted::OverLimit | Permitted::Malformed | Permitted::Unreadable(_) => false,
        }
    }
}
