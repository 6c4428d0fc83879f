//! What was decided, and why: the part of an answer that AWS keeps to itself.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
};

use jiff::Timestamp;
use serde::Serialize;

/// How many decisions are kept.
const KEPT: usize = 1000;
/// How many operations are counted by name.
const NAMES: usize = 500;
/// Characters of a reason that are kept: a caller chooses part of it.
const REASON_LENGTH: usize = 2000;

/// One call and what came of it. Names and claims are in it, and never a token or a secret.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// The operation that was called; `unknown` for others.
    pub operation: Cow<'static, str>,
    /// Whether the answer was yes.
    pub allowed: bool,
    /// The error's code in the answer; nothing when it was yes.
    pub code: Option<Cow<'static, str>>,
    /// The role that was asked for.
    pub role: Option<String>,
    /// Which statement allowed it; or why not: which check failed, which statement and condition,
    /// and what the request held.
    pub reason: String,
}

/// The last decisions, and all calls counted.
#[derive(Default)]
pub(crate) struct Journal {
    decisions: VecDeque<Decision>,
    calls: BTreeMap<String, u64>,
}

impl Journal {
    pub(crate) fn write(&mut self, mut decision: Decision) {
        self.count(&decision.operation);
        decision.reason = decision.reason.chars().take(REASON_LENGTH).collect();
        if self.decisions.len() == KEPT {
            self.decisions.pop_front();
        }
        self.decisions.push_back(decision);
    }

    fn count(&mut self, operation: &str) {
        if let Some(calls) = self.calls.get_mut(operation) {
            *calls += 1;
            return;
        }
        // Callers choose names: there shall be no end of calls, but of names.
        let name = if self.calls.len() < NAMES { operation } else { "other" };
        *self.calls.entry(name.to_owned()).or_default() += 1;
    }

    /// Oldest first.
    pub(crate) fn decisions(&self) -> Vec<Decision> {
        self.decisions.iter().cloned().collect()
    }

    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_kept_and_all_are_counted() {
        let mut journal = Journal::default();
        for number in 0..=KEPT {
            journal.write(Decision {
                at: Timestamp::UNIX_EPOCH,
                operation: "GetCallerIdentity".into(),
                allowed: true,
                code: None,
                role: None,
                reason: format!("{number} {}", "x".repeat(REASON_LENGTH)),
            });
        }
        let decisions = journal.decisions();
        assert_eq!(decisions.len(), KEPT);
        assert!(decisions[0].reason.starts_with("1 "));
        assert_eq!(decisions[0].reason.len(), REASON_LENGTH);
        assert_eq!(journal.calls()["GetCallerIdentity"], KEPT as u64 + 1);
    }

    #[test]
    fn names_have_an_end() {
        let mut journal = Journal::default();
        for number in 0..NAMES + 10 {
            journal.count(&number.to_string());
        }
        journal.count("0");
        let calls = journal.calls();
        assert_eq!((calls.len(), calls["other"], calls["0"]), (NAMES + 1, 10, 2));
    }
}
