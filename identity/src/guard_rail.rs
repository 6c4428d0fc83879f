//! A namespace's guard-rail, whole.

use crate::{PERMITTED_ROLES_ANNOTATION, PermittedRoles};

/// What a namespace permits its pods, whatever their ServiceAccounts say. The default permits
/// everything, as for a namespace without the annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardRail {
    /// The roles that its pods may get.
    pub roles: PermittedRoles,
}

impl GuardRail {
    /// Reads a Namespace's annotations. `annotation` returns the value of the annotation of that
    /// name.
    #[must_use]
    pub fn read<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> Self {
        Self { roles: PermittedRoles::read(annotation(PERMITTED_ROLES_ANNOTATION)) }
    }
}
