//! A ServiceAccount with its role, and how many pods it has.

use podrole_identity::{Denial, Grant, ServiceAccountAnnotations};

/// How many live pods have what they should have. Pods that opt out, bring credentials of their own or are less than a
/// minute old are neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodCounts {
    /// They have the token of a provider.
    pub(crate) injected: usize,
    /// They lack what they would get if they were created now.
    pub(crate) missed: usize,
}

/// What is known of a ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) annotations: ServiceAccountAnnotations,
    pub(crate) granted: Result<Option<Grant>, Denial>,
    /// Whether its namespace limits the roles.
    pub(crate) is_guarded: bool,
    pub(crate) pods: PodCounts,
}

impl Identity {
    /// Whether its pods get, or pass through, this role.
    pub(crate) fn may_become(&self, role: &str) -> bool {
        let Ok(Some(grant)) = &self.granted else { return false };
        grant.steps.iter().any(|step| step.role.as_str() == role)
    }
}
