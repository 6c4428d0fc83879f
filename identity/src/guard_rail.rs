//! A namespace's guard-rail, whole.

use crate::{
    PERMITTED_ROLES_ANNOTATION, PERMITTED_SECRETS_ANNOTATION, PermittedRoles, PermittedSecrets,
};

/// What a namespace permits its pods, whatever their ServiceAccounts say. The default permits
/// everything, as for a namespace without the annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardRail {
    /// The roles that its pods may get.
    pub roles: PermittedRoles,
    /// The Secrets that annotations may add to its pods.
    pub secrets: PermittedSecrets,
}

impl GuardRail {
    /// Reads a Namespace's annotations. `annotation` returns the value of the annotation of that
    /// name.
    #[must_use]
    pub fn read<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> Self {
        Self {
            roles: PermittedRoles::read(annotation(PERMITTED_ROLES_ANNOTATION)),
            secrets: PermittedSecrets::read(annotation(PERMITTED_SECRETS_ANNOTATION)),
        }
    }
}
