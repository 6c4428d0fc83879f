//! The decision log: what was decided, and the reason, which AWS does not reveal.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
};

use jiff::Timestamp;
use serde::Serialize;

/// Decisions that are kept.
const MAX_DECISIONS: usize = 1000;
/// Operations that are counted by name.
const MAX_NAMES: usize = 500;
/// Characters of a reason that are kept, because callers choose part of it.
const REASON_LENGTH: usize = 2000;

/// One call and its result. It contains names and claims, and never a token or secret.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The time of the call.
    pub at: Timestamp,
    /// The request id in the response; `None` for calls that were forwarded or got an injected fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The operation, or `unknown`.
    pub operation: Cow<'static, str>,
    /// Whether the call succeeded.
    pub allowed: bool,
    /// The error code in the response, if the call failed.
    pub code: Option<Cow<'static, str>>,
    /// The requested role.
    pub role: Option<String>,
    /// The statement that allowed the call; or the check, statement or condition that failed, with what
    /// the request contained.
    pub reason: String,
}

/// The last decisions, and the number of calls of each operation.
#[derive(Default)]
pub(crate) struct Journal {
    decisions: VecDeque<Decision>,
    calls: BTreeMap<String, u64>,
}

impl Journal {
    pub(crate) fn write(&mut self, mut decision: Decision) {
        self.count(&decision.operation);
        decision.reason = decision.reason.chars().take(REASON_LENGTH).collect();
        if self.decisions.len() == MAX_DECISIONS {
            self.decisions.pop_front();
        }
        self.decisions.push_back(decision);
    }

    fn count(&mut self, operation: &str) {
        if let Some(calls) = self.calls.get_mut(operation) {
            *calls += 1;
            return;
        }
        // Callers choose the names: without a limit they could fill the memory.
        let name = if self.calls.len() < MAX_NAMES { operation } else { "other" };
        *self.calls.entry(name.to_owned()).or_default() += 1;
    }

    /// The kept decisions, oldest first.
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
    fn the_last_decisions_are_kept_and_all_are_counted() {
        let mut journal = Journal::default();
        for number in 0..=MAX_DECISIONS {
            journal.write(Decision {
                at: Timestamp::UNIX_EPOCH,
                request_id: None,
                operation: "GetCallerIdentity".into(),
                allowed: true,
                code: None,
                role: None,
                reason: format!("{number} {}", "x".repeat(REASON_LENGTH)),
            });
        }
        let decisions = journal.decisions();
        assert_eq!(decisions.len(), MAX_DECISIONS);
        assert!(decisions[0].reason.starts_with("1 "));
        assert_eq!(decisions[0].reason.len(), REASON_LENGTH);
        assert_eq!(journal.calls()["GetCallerIdentity"], MAX_DECISIONS as u64 + 1);
    }

    #[test]
    fn the_number_of_names_is_limited() {
        let mut journal = Journal::default();
        for number in 0..MAX_NAMES + 10 {
            journal.count(&number.to_string());
        }
        journal.count("0");
        let calls = journal.calls();
        assert_eq!((calls.len(), calls["other"], calls["0"]), (MAX_NAMES + 1, 10, 2));
    }
}
