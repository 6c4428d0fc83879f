//! Which namespaces and pods take part in injection, by the label `podrole.io/injection`.

use crate::PermittedRoles;

/// The label with which a namespace opts in and a pod opts out.
pub const INJECTION_LABEL: &str = "podrole.io/injection";
/// The label's value on a namespace whose pods are injected.
pub const INJECTION_ENABLED: &str = "enabled";
/// The label's value on a namespace whose pods are refused if their identity cannot be decided.
const REQUIRED: &str = "required";
/// The label's value on a pod, or on a namespace of a cluster that injects everywhere, to opt out.
const DISABLED: &str = "disabled";

/// EKS's label that keeps its webhook away from a pod, with any value.
pub const EKS_SKIP_LABEL: &str = "eks.amazonaws.com/skip-pod-identity-webhook";

/// How strict a namespace is about its pods' identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Injection {
    /// `enabled`: a pod that cannot be decided is admitted, with a warning.
    Enabled,
    /// `required`: such a pod is refused, and a pod's own label does not opt it out.
    Required,
}

/// What is known of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// The roles that its pods may get.
    pub permitted: PermittedRoles,
    /// What its label asks for; `None` without the label and for other values.
    pub injection: Option<Injection>,
    /// Whether it has no such label at all, so that it has not decided.
    pub is_unlabelled: bool,
}

impl Injection {
    /// Reads the label's value on a namespace.
    #[must_use]
    pub fn of_namespace(label: Option<&str>) -> Option<Self> {
        match label {
            Some(INJECTION_ENABLED) => Some(Self::Enabled),
            Some(REQUIRED) => Some(Self::Required),
            _ => None,
        }
    }
}

/// Whether a pod's own labels opt it out. `label` returns the value of the pod's label of that
/// name.
#[must_use]
pub fn pod_opts_out<'a>(label: impl Fn(&str) -> Option<&'a str>) -> bool {
    label(EKS_SKIP_LABEL).is_some() || label(INJECTION_LABEL) == Some(DISABLED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_values_of_the_label_opt_a_namespace_in() {
        assert_eq!(Injection::of_namespace(Some("enabled")), Some(Injection::Enabled));
        assert_eq!(Injection::of_namespace(Some("required")), Some(Injection::Required));
        for other in [None, Some(""), Some("disabled"), Some("Enabled"), Some("true")] {
            assert_eq!(Injection::of_namespace(other), None, "{other:?}");
        }
    }
}
