//! What a decision follows from, and until when it holds without being made again.

use jiff::Timestamp;

use super::Agent;
use crate::{aws_clock::AwsClock, fast_path::InputVersions, token::Caller};

impl Agent {
    /// The versions of every input to a decision now, or `None` if one of them cannot report
    /// changes.
    pub(super) fn input_versions(&self, keys: u64) -> Option<InputVersions> {
        let pods = self.liveness.changes()?;
        let looked_up = self.service_accounts.changes()
            + self.options.namespaces.changes()
            + self.associations().map_or(0, |associations| associations.changes());
        let (list, objects) = (self.options.list.changes(), self.object_changes() + looked_up);
        Some(InputVersions { pods, list, objects, keys })
    }

    /// The time that revocations are dated by: a node's own clock can be wrong by hours.
    pub(super) fn aws_now(&self) -> Timestamp {
        self.options.aws_clock.as_ref().map_or_else(|| self.clock.now(), AwsClock::now)
    }

    /// How often a pattern or a guard-rail changed. Each only grows, so their sum shows every change.
    pub(super) fn object_changes(&self) -> u64 {
        self.options.patterns.changes() + self.options.guardrails.changes()
    }

    /// Until when the caller's ServiceAccount, association and namespace are not looked up again, by [`Clock::steady`], or `None` if
    /// each request looks them up.
    pub(super) fn lookups_fresh_until(&self, caller: &Caller) -> Option<Timestamp> {
        let service_account = &caller.service_account;
        let namespace = service_account.namespace().to_owned();
        let known = self.service_accounts.fresh_until(service_account)?;
        let known = known.min(self.options.namespaces.fresh_until(&namespace)?);
        match self.associations() {
            Some(associations) => Some(known.min(associations.fresh_until(service_account)?)),
            None => Some(known),
        }
    }
}
