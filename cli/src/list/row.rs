//! A line of the list.

use podrole_identity::{Denial, DenialReason, Grant, ServiceAccountRef};
use serde::Serialize;

use crate::identities::Identity;

/// A ServiceAccount with a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) namespace: String,
    pub(super) service_account: String,
    /// The role of the pods' sessions. Without it, EKS chooses, or `denial` says why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) denial: Option<String>,
    /// A denial in at most 120 characters.
    #[serde(skip)]
    pub(super) summary: Option<String>,
    pub(super) source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pattern: Option<String>,
    pub(super) provider: String,
    pub(super) guardrail: GuardrailState,
    /// `None` if they could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pods: Option<Pods>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Pods {
    pub(super) injected: usize,
    pub(super) missed: usize,
}

/// What the namespace's guard-rails say to the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GuardrailState {
    /// The namespace limits no roles.
    None,
    Permits,
    Denies,
    /// The role cannot be used for another reason.
    NotAsked,
}

impl GuardrailState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Permits => "permits",
            Self::Denies => "denies",
            Self::NotAsked => "-",
        }
    }
}

impl Row {
    /// The line of a ServiceAccount, or `None` if no source names a role for it.
    pub(super) fn of(of: &ServiceAccountRef, identity: &Identity, counted: bool) -> Option<Self> {
        let row = Self {
            namespace: of.namespace().to_owned(),
            service_account: of.name().to_owned(),
            role: None,
            denial: None,
            summary: None,
            source: "",
            pattern: None,
            provider: String::new(),
            guardrail: GuardrailState::None,
            pods: counted
                .then_some(Pods { injected: identity.pods.injected, missed: identity.pods.missed }),
        };
        Some(match &identity.granted {
            Ok(None) => return None,
            Ok(Some(grant)) => row.granted(grant, identity.is_guarded),
            Err(denial) => row.denied(denial, identity.is_guarded),
        })
    }

    fn granted(self, grant: &Grant, is_guarded: bool) -> Self {
        let permits = GuardrailState::Permits;
        Self {
            role: grant.role().map(ToString::to_string),
            source: grant.source.as_str(),
            pattern: grant.pattern.as_deref().map(str::to_owned),
            provider: grant.provider.to_string(),
            guardrail: if is_guarded { permits } else { GuardrailState::None },
            ..self
        }
    }

    fn denied(self, denial: &Denial, is_guarded: bool) -> Self {
        let guardrail = match (&denial.reason, is_guarded) {
            (DenialReason::NotPermitted { .. }, _) => GuardrailState::Denies,
            (_, true) => GuardrailState::NotAsked,
            (_, false) => GuardrailState::None,
        };
        Self {
            denial: Some(denial.to_string()),
            summary: Some(denial.summary()),
            source: denial.source.as_str(),
            pattern: denial.pattern.as_deref().map(str::to_owned),
            provider: denial.provider.to_string(),
            guardrail,
            ..self
        }
    }
}
