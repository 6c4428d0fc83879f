//! Which namespaces and pods take part in injection, by the label `podrole.io/injection`.

use std::{fmt, str::FromStr};

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

/// Which namespaces a cluster injects: the chart's `injection.default`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InjectionDefault {
    /// Those that ask for it.
    #[default]
    Labelled,
    /// All but those that opt out.
    All,
}

/// The text is no [`InjectionDefault`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not labelled or all")]
pub struct UnknownInjectionDefault(());

impl InjectionDefault {
    /// What a namespace with this label, or without it, asks for.
    #[must_use]
    pub fn of_namespace(self, label: Option<&str>) -> Option<Injection> {
        // The value that opts a pod out opts a namespace out, too.
        let disabled = label == Some(DISABLED);
        let default = Some(Injection::Enabled).filter(|_| self == Self::All && !disabled);
        Injection::of_namespace(label).or(default)
    }
}

impl fmt::Display for InjectionDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Labelled => "labelled",
            Self::All => "all",
        })
    }
}

impl FromStr for InjectionDefault {
    type Err = UnknownInjectionDefault;

    fn from_str(text: &str) -> Result<Self, UnknownInjectionDefault> {
        match text {
            "labelled" => Ok(Self::Labelled),
            "all" => Ok(Self::All),
            _ => Err(UnknownInjectionDefault(())),
        }
    }
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
    fn a_cluster_that_injects_all_namespaces_leaves_out_those_that_opt_out() {
        let all: InjectionDefault = "all".parse().unwrap();
        assert_eq!(
            (all.to_string(), "most".parse::<InjectionDefault>().is_err()),
            ("all".to_owned(), true)
        );
        for (label, enabled) in [(None, true), (Some("other"), true), (Some("disabled"), false)] {
            let expected = enabled.then_some(Injection::Enabled);
            assert_eq!(all.of_namespace(label), expected, "{label:?}");
            assert_eq!(InjectionDefault::Labelled.of_namespace(label), None, "{label:?}");
        }
        assert_eq!(all.of_namespace(Some("required")), Some(Injection::Required));
    }

    #[test]
    fn only_two_values_of_the_label_opt_a_namespace_in() {
        assert_eq!(Injection::of_namespace(Some("enabled")), Some(Injection::Enabled));
        assert_eq!(Injection::of_namespace(Some("required")), Some(Injection::Required));
        for other in [None, Some(""), Some("disabled"), Some("Enabled"), Some("true")] {
            assert_eq!(Injection::of_namespace(other), None, "{other:?}");
        }
    }
}
