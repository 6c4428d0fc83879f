//! The decision: which AWS role a ServiceAccount's pods get, by which credential provider, and if
//! none, why. Webhook, agent and CLI call it, so that they cannot disagree.
//!
//! ```text
//!   association ─► list file ─► ServiceAccount annotation ─► ConfigMap
//!        the first that names the ServiceAccount decides, even if it decides "no"
//! ```
//!
//! A fact that is not known (not synced, look-up failed) is not a fact: the caller answers
//! "unknown" and does not call [`grant`] with a guess.

mod choice;
mod denial;
mod explanation;
mod reason;
mod roles;
mod source;
mod types;

use crate::{CredentialProvider, Exchange};
use choice::{Choice, choose};
pub use denial::Denial;
pub use explanation::{Considered, Explanation, SourceOutcome, explain};
pub use reason::DenialReason;
pub use source::{Source, Sources};
pub use types::{Facts, Grant, GrantRules, RoleStep};

/// The role of a ServiceAccount's pods; `None` if no source names the ServiceAccount.
///
/// # Errors
/// If a source names it and the role cannot be used.
pub fn grant(facts: &Facts<'_>, rules: &GrantRules) -> Result<Option<Grant>, Denial> {
    let Some(choice) = choose(facts, rules) else {
        return Ok(None);
    };
    if choice.provider == CredentialProvider::Container && rules.exchange == Exchange::EksAuth {
        return Ok(Some(decided_by_eks(&choice)));
    }
    let denied = |reason| Denial {
        service_account: facts.service_account.clone(),
        source: choice.source,
        provider: choice.provider,
        reason,
    };
    let steps = roles::steps(&choice, facts, rules).map_err(denied)?;
    let association = choice.association();
    Ok(Some(Grant {
        source: choice.source,
        provider: choice.provider,
        steps,
        session_name: association.and_then(|it| it.session_name.clone()),
        session_tags: roles::has_tags(&choice, rules),
    }))
}

fn decided_by_eks(choice: &Choice<'_>) -> Grant {
    Grant {
        source: choice.source,
        provider: choice.provider,
        steps: Vec::new(),
        session_name: None,
        session_tags: false,
    }
}

#[cfg(test)]
mod tests;
