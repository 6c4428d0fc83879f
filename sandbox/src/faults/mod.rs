//! Faults on demand: what goes wrong, when, and for which calls, because a test asked for it.
//!
//! ```text
//!   --fault, POST /_podrole/faults ─► Rule ─► Faults ─┐
//!   x-podrole-fault ────────────────► Rule ───────────┤
//!   a call's operation and the time ──────────────────┴─► Effects ─► apply: wait, spoil, or refuse
//! ```
//!
//! Which call gets which fault is counted, never drawn: a test that failed fails again.

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

/// How many rules there may be at once.
const MAX_RULES: usize = 100;

/// The faults that are asked for. Clones are the same.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Ledger>>);

#[derive(Default)]
struct Ledger {
    last_id: u64,
    rules: Vec<Entry>,
}

/// A rule, and how far it has come.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// Calls that it was for.
    pub(crate) matched: u64,
    /// Calls that it spoiled.
    pub(crate) fired: u64,
    #[serde(skip)]
    since: Timestamp,
    #[serde(flatten)]
    pub(crate) rule: Rule,
}

/// There are too many rules.
#[derive(Debug, thiserror::Error)]
#[error("there are {MAX_RULES} faults already; DELETE /_podrole/faults clears them")]
pub struct TooManyRules;

impl Faults {
    /// Adds a rule; its number.
    ///
    /// # Errors
    /// When there are too many.
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

    /// Forgets all rules.
    pub fn clear(&self) {
        self.ledger().rules.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ledger().rules.is_empty()
    }

    pub(crate) fn list(&self) -> Vec<Entry> {
        self.ledger().rules.clone()
    }

    /// What befalls this call of an operation: the first rule that is due. All rules count it.
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
    /// Counts the call; whether the rule is for this one.
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
