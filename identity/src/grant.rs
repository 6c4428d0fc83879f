//! The decision: which AWS role a ServiceAccount's pods get, by which credential provider, and if
//! none, why. Webhook, agent and CLI call it, so that they cannot disagree.
//!
//! ```text
//!   association ─► list file ─► pattern ─► ServiceAccount annotation ─► ConfigMap
//!        the first that names the ServiceAccount decides, even if it decides "no"
//! ```
//!
//! A fact that is not known (not synced, look-up failed) is not a fact: the caller answers
//! "unknown" and does not call [`grant`] with a guess.

mod choice;
mod denial;
mod explanation;
mod pattern;
mod reason;
mod roles;
mod source;
mod types;

use crate::{CredentialProvider, Exchange, NamespaceFacts};
use choice::{Choice, choose};
pub use denial::Denial;
pub use explanation::{Considered, Explanation, SourceOutcome, explain};
pub use pattern::denial_of_pattern;
pub use reason::{DenialReason, NotPermittedBy};
pub use source::{Source, Sources};
pub use types::{Facts, Grant, GrantRules, RoleStep, SessionTags};

/// The role of a ServiceAccount's pods; `None` if no source names the ServiceAccount.
///
/// # Errors
/// If a source names it and the role cannot be used.
pub fn grant(facts: &Facts<'_>, rules: &GrantRules) -> Result<Option<Grant>, Denial> {
    let Some(choice) = choose(facts, rules) else {
        return Ok(None);
    };
    if choice.provider == CredentialProvider::Container && rules.exchange == Exchange::EksAuth {
        return Ok(Some(decided_by_eks(choice, facts.namespace)));
    }
    match roles::steps(&choice, facts, rules) {
        Ok(steps) => Ok(Some(granted(choice, steps, facts, rules))),
        Err(reason) => Err(Denial {
            service_account: facts.service_account.clone(),
            source: choice.source,
            pattern: choice.pattern,
            provider: choice.provider,
            reason,
        }),
    }
}

fn granted(
    choice: Choice<'_>,
    steps: Vec<RoleStep>,
    facts: &Facts<'_>,
    rules: &GrantRules,
) -> Grant {
    let association = choice.association();
    Grant {
        session_name: association.and_then(|it| it.session_name.clone()),
        session_tags: roles::tags(&choice, rules),
        not_before: association.and_then(|it| it.not_before).max(facts.namespace.not_before),
        source: choice.source,
        provider: choice.provider,
        steps,
        pattern: choice.pattern,
    }
}

fn decided_by_eks(choice: Choice<'_>, namespace: &NamespaceFacts) -> Grant {
    Grant {
        source: choice.source,
        pattern: choice.pattern,
        provider: choice.provider,
        steps: Vec::new(),
        session_name: None,
        session_tags: SessionTags::Off,
        not_before: namespace.not_before,
    }
}

/// The provider of a new pod's containers. A namespace with the label `podrole.io/credentials:
/// container` gets that one for pods whose ServiceAccount no source names yet, so that an association
/// that comes later works without a restart.
#[must_use]
pub fn injected_provider(
    granted: &Result<Option<Grant>, Denial>,
    namespace: &NamespaceFacts,
) -> Option<CredentialProvider> {
    match granted {
        Ok(Some(grant)) => Some(grant.provider),
        Ok(None) => namespace.credentials,
        Err(denial) => Some(denial.provider),
    }
}

#[cfg(test)]
mod tests;
