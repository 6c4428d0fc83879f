//! Which replica of the controller may write. Pure: the caller reads and writes the Lease, and passes
//! the time.
//!
//! The times of another machine are not compared with ours, as in client-go: a holder has lost the
//! Lease if we have seen no renewal for as long as it lasts. And a holder stops acting before others
//! may begin, so that a process which was suspended does not write beside its successor.

use std::time::Duration;

use tokio::time::Instant;

/// How long a Lease lasts without a renewal.
pub(crate) const LEASE_DURATION: Duration = Duration::from_secs(15);
/// The age after which the holder renews it.
const RENEW_AFTER: Duration = Duration::from_secs(4);
/// How long after its last renewal the holder may still act.
const ACT_FOR: Duration = Duration::from_secs(10);

/// A Lease as the API server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaseRecord {
    /// Who has it; empty if its holder released it.
    pub(crate) holder: String,
    /// How often it changed hands.
    pub(crate) transitions: i32,
    /// Each write needs the version that was read. `None`: the Lease does not exist.
    pub(crate) resource_version: Option<String>,
}

/// What to do with the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseStep {
    /// Another replica has it.
    Wait,
    /// It is ours and was renewed a moment ago.
    Keep,
    /// It is ours: renew it.
    Renew,
    /// No replica has it: take it.
    Acquire,
}

/// What one replica knows of the Lease.
#[derive(Debug)]
pub(crate) struct Tenure {
    identity: String,
    /// The record, and when it was first read in this version.
    seen: Option<(LeaseRecord, Instant)>,
    /// When the last write of ours began that succeeded.
    renewed: Option<Instant>,
}

impl Tenure {
    /// `identity` is unique among the replicas.
    pub(crate) fn new(identity: &str) -> Self {
        Self { identity: identity.to_owned(), seen: None, renewed: None }
    }

    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Takes note of the Lease as it was read, and returns what to do.
    pub(crate) fn step(&mut self, record: &LeaseRecord, now: Instant) -> LeaseStep {
        let since = match &self.seen {
            Some((seen, since)) if seen == record => *since,
            _ => {
                self.seen = Some((record.clone(), now));
                now
            }
        };
        let passed = |from: Instant, age| now.saturating_duration_since(from) >= age;
        if record.holder == self.identity {
            let fresh = self.renewed.is_some_and(|renewed| !passed(renewed, RENEW_AFTER));
            return if fresh { LeaseStep::Keep } else { LeaseStep::Renew };
        }
        self.renewed = None;
        if record.holder.is_empty() || passed(since, LEASE_DURATION) {
            LeaseStep::Acquire
        } else {
            LeaseStep::Wait
        }
    }

    /// A write of ours that began at `now` succeeded.
    pub(crate) fn written(&mut self, now: Instant) {
        self.renewed = Some(now);
    }

    /// Whether this replica may act now.
    pub(crate) fn may_act(&self, now: Instant) -> bool {
        let age = |renewed: Instant| now.saturating_duration_since(renewed);
        self.renewed.is_some_and(|renewed| age(renewed) < ACT_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(holder: &str, version: &str) -> LeaseRecord {
        let resource_version = (!version.is_empty()).then(|| version.to_owned());
        LeaseRecord { holder: holder.to_owned(), transitions: 0, resource_version }
    }

    #[test]
    fn a_replica_waits_until_the_holder_was_silent_for_the_whole_duration() {
        let (mut tenure, start) = (Tenure::new("b"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for (second, version, step) in [
            (0, "1", LeaseStep::Wait),
            (14, "1", LeaseStep::Wait),
            // A renewal begins the time anew.
            (14, "2", LeaseStep::Wait),
            (28, "2", LeaseStep::Wait),
            (29, "2", LeaseStep::Acquire),
        ] {
            assert_eq!(tenure.step(&record("a", version), at(second)), step, "{second} {version}");
            assert!(!tenure.may_act(at(second)));
        }
        assert_eq!(tenure.step(&record("", "3"), at(30)), LeaseStep::Acquire, "released");
        assert_eq!(tenure.step(&record("", ""), at(30)), LeaseStep::Acquire, "not there");
    }

    #[test]
    fn a_holder_renews_and_stops_acting_before_another_may_begin() {
        let (mut tenure, start) = (Tenure::new("a"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        // The same pod after a restart of its container.
        assert_eq!(tenure.step(&record("a", "1"), at(0)), LeaseStep::Renew);
        assert!(!tenure.may_act(at(0)), "not before its own write");
        tenure.written(at(0));
        assert_eq!(tenure.step(&record("a", "2"), at(3)), LeaseStep::Keep);
        assert_eq!(tenure.step(&record("a", "2"), at(4)), LeaseStep::Renew);
        assert!(tenure.may_act(at(9)) && !tenure.may_act(at(10)));
        assert!(ACT_FOR < LEASE_DURATION);
    }

    #[test]
    fn a_holder_that_lost_the_lease_may_not_act() {
        let (mut tenure, start) = (Tenure::new("a"), Instant::now());
        tenure.written(start);
        assert!(tenure.may_act(start));
        assert_eq!(tenure.step(&record("b", "5"), start), LeaseStep::Wait);
        assert!(!tenure.may_act(start));
    }
}
