//! Fault injection: which calls fail, how, and when.
//!
//! ```text
//!   --fault, POST /_podrole/faults ─► Rule ─► Faults ─┐
//!   x-podrole-fault ────────────────► Rule ───────────┤
//!   a call's operation and the time ──────────────────┴─► Effects ─► apply: delay, alter, or replace the response
//! ```
//!
//! Calls are counted, and nothing is random, so that a failing test fails again.

pub(crate) mod apply;
pub(crate) mod response;
pub(crate) mod routes;
mod rule;
mod target;

pub use rule::{Rule, RuleError};
pub(crate) use target::{ErrorFormat, FaultTarget};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// The maximum number of rules.
const MAX_RULES: usize = 100;

/// The rules in effect. Clones share them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Ledger>>);

#[derive(Default)]
struct Ledger {
    last_id: u64,
    rules: Vec<Entry>,
}

/// A rule and its counts.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// Calls of the rule's operation, while the rule was in effect.
    pub(crate) matched: u64,
    /// Calls that the fault was injected into.
    pub(crate) fired: u64,
    #[serde(skip)]
    since: Timestamp,
    #[serde(flatten)]
    pub(crate) rule: Rule,
}

/// The maximum number of rules is reached.
#[derive(Debug, thiserror::Error)]
#[error("there are {MAX_RULES} faults already; remove them with DELETE /_podrole/faults")]
pub struct TooManyRules;

impl Faults {
    /// Adds a rule and returns its id.
    ///
    /// # Errors
    /// If there are too many rules.
    pub fn add(&self, rule: Rule, now: Timestamp) -> Result<u64, TooManyRules> {
        let mut ledger = self.ledger();
        if ledger.rules.len() >= MAX_RULES {
            return Err(TooManyRules);
        }
        ledger.last_id += 1;
        let id = ledger.last_id;
        ledger.rules.push(Entry { id, matched: 0, fired: 0, since: now, rule });
        Ok(id)
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.ledger().rules.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ledger().rules.is_empty()
    }

    pub(crate) fn list(&self) -> Vec<Entry> {
        self.ledger().rules.clone()
    }

    /// The first rule that is due for this call of an operation. All matching rules count the call.
    pub(crate) fn next(&self, operation: &str, now: Timestamp) -> Option<Rule> {
        let mut due = None;
        for entry in &mut self.ledger().rules {
            if entry.is_due(operation, now) && due.is_none() {
                entry.fired += 1;
                due = Some(entry.rule.clone());
            }
        }
        due
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Counts the call, and returns whether the rule applies to it.
    fn is_due(&mut self, operation: &str, now: Timestamp) -> bool {
        if !self.rule.is_for(operation) || self.rule.is_over(now.duration_since(self.since)) {
            return false;
        }
        self.matched += 1;
        self.rule.is_turn(self.matched)
    }
}

#[cfg(test)]
mod tests;
