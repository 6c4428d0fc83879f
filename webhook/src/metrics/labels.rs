//! The words by which counts are told apart. All are ours: nothing that a person writes becomes a
//! label.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReviewLabels {
    pub(super) route: Word,
    pub(super) path: Word,
    pub(super) outcome: Word,
    pub(super) reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    pub(super) route: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ResultLabels {
    pub(super) result: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabels {
    pub(super) source: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub(super) kind: Word,
}

/// A label's value: the word of an enum of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word(pub(super) &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// A path of ours that API servers call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/mutate`.
    Enabled,
    /// `/mutate/required`.
    Required,
    /// `/validate`.
    Validate,
}

/// What became of a live read of a ServiceAccount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveRead {
    /// It exists.
    Found,
    /// It does not exist.
    Missing,
    /// The API server gave no answer.
    Failed,
    /// It was not made, because too many were made already.
    OverBudget,
}

/// A source of identities that people write by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The association list file.
    ListFile,
    /// The ConfigMap of roles.
    ConfigMap,
}

/// A watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Watch {
    /// Over ServiceAccounts.
    ServiceAccounts,
    /// Over Namespaces.
    Namespaces,
    /// Over the one ConfigMap.
    ConfigMap,
}

impl Route {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "/mutate",
            Self::Required => "/mutate/required",
            Self::Validate => "/validate",
        }
    }
}

impl LiveRead {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::OverBudget => "over_budget",
        }
    }
}

impl Source {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ListFile => "list_file",
            Self::ConfigMap => "config_map",
        }
    }
}

impl Watch {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccounts => "service_accounts",
            Self::Namespaces => "namespaces",
            Self::ConfigMap => "config_map",
        }
    }
}
