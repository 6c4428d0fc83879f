//! The metrics' labels. Every value is one of our own constants: a value from a pod or an
//! annotation would let a tenant create any number of time series.

use podrole_identity::CredentialProvider;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReviewLabels {
    pub(super) route: LabelValue,
    pub(super) provider: LabelValue,
    pub(super) outcome: LabelValue,
    pub(super) reason: LabelValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    pub(super) route: LabelValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ResultLabels {
    pub(super) result: LabelValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabels {
    pub(super) source: LabelValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub(super) kind: LabelValue,
}

/// A label's value, in snake_case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LabelValue(pub(super) &'static str);

impl EncodeLabelValue for LabelValue {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// A URL path that API servers call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Enabled,
    Required,
    Validate,
}

/// The result of a live read of a ServiceAccount or an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveRead {
    Found,
    /// The object does not exist.
    Missing,
    /// The API server answered with an error, or not in time.
    Failed,
    /// The rate limit did not allow the read.
    RateLimited,
}

/// A source of roles that may be invalid or away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    ListFile,
    ConfigMap,
    Associations,
    Patterns,
    Guardrails,
}

/// A watch, by the kind of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Watch {
    ServiceAccounts,
    Namespaces,
    ConfigMap,
}

/// The provider as a label's value; its text form has a hyphen.
pub(crate) fn provider_label(provider: CredentialProvider) -> &'static str {
    match provider {
        CredentialProvider::WebIdentity => "web_identity",
        CredentialProvider::Container => "container",
    }
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
            Self::RateLimited => "rate_limited",
        }
    }
}

impl Source {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ListFile => "list_file",
            Self::ConfigMap => "config_map",
            Self::Associations => "associations",
            Self::Patterns => "patterns",
            Self::Guardrails => "guardrails",
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
