//! The kinds by name, and their objects before they are read.

use std::fmt;

use jiff::Timestamp;

/// The API group of podrole's kinds.
pub const API_GROUP: &str = "podrole.io";
/// The version that podrole reads.
pub const API_VERSION: &str = "v1alpha1";

/// How many patterns and how many guard-rails count: the oldest ones. Every reader keeps all of them
/// in memory and judges each request by them.
pub const MAX_SELECTING_OBJECTS: usize = 200;

/// One of podrole's kinds. All are cluster-scoped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The role of one ServiceAccount.
    Association,
    /// The role of all ServiceAccounts that globs and selectors match.
    Pattern,
    /// The roles that namespaces may use.
    Guardrail,
}

impl Kind {
    /// The name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Association => "PodIdentityAssociation",
            Self::Pattern => "PodIdentityPattern",
            Self::Guardrail => "PodIdentityGuardrail",
        }
    }

    /// The kind of this name in manifests.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Association, Self::Pattern, Self::Guardrail]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    /// The name in the API's paths.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Association => "podidentityassociations",
            Self::Pattern => "podidentitypatterns",
            Self::Guardrail => "podidentityguardrails",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An object of a kind that selects, before it is read.
#[derive(Clone, Debug)]
pub struct RawObject<'a> {
    /// `metadata.name`.
    pub name: &'a str,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// `spec`.
    pub spec: &'a serde_json::Value,
}

/// The objects in the order of their age, and whether each one counts.
pub(super) fn by_age<'a>(
    objects: impl IntoIterator<Item = RawObject<'a>>,
) -> Vec<(RawObject<'a>, bool)> {
    let mut objects: Vec<_> = objects.into_iter().collect();
    objects.sort_by(|a, b| (a.created, a.name).cmp(&(b.created, b.name)));
    let numbered = objects.into_iter().enumerate();
    numbered.map(|(index, object)| (object, index < MAX_SELECTING_OBJECTS)).collect()
}
