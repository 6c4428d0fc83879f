//! How many live reads may begin, for each namespace. Pure: the time is an argument.
//!
//! All namespaces share one budget. Each that exists also has a small one of its own, which no other
//! can spend: reviews of one namespace, or of namespaces that were made up, cannot keep the pods of
//! another from their roles. A small one is enough, because a list answers every caller that waits.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::rate_limit::{Rate, RateLimit};

/// For ServiceAccounts: twice what EKS's webhook allows itself. Larger bursts are answered by lists, see
/// `live_reads`.
pub(crate) const SERVICE_ACCOUNTS: Rate = Rate { per_second: 20, burst: 40 };
/// For associations, which no list answers: they are read one by one.
pub(crate) const ASSOCIATIONS: Rate = Rate { per_second: 100, burst: 200 };
/// A pod waits for at most half of its review's timeout, 1.5 s by default: two lists a second are
/// in time.
const OWN: Rate = Rate { per_second: 2, burst: 4 };
/// How many namespaces have a budget of their own at a time. One that has spent nothing for two
/// seconds needs no place.
const MAX_NAMESPACES: usize = 4096;

/// The budget of this replica.
#[derive(Debug)]
pub(crate) struct ReadBudget {
    shared: RateLimit,
    own: HashMap<String, RateLimit>,
}

impl ReadBudget {
    /// `shared` is what all namespaces have together.
    pub(crate) fn new(shared: Rate, now: Instant) -> Self {
        Self { shared: RateLimit::new(shared, now), own: HashMap::new() }
    }

    /// Takes a read for a namespace; returns whether there was one. `exists` is whether the
    /// namespace is known to exist.
    pub(crate) fn take(&mut self, namespace: &str, exists: bool, now: Instant) -> bool {
        (exists && self.take_own(namespace, now)) || self.shared.take(now)
    }

    fn take_own(&mut self, namespace: &str, now: Instant) -> bool {
        if let Some(own) = self.own.get_mut(namespace) {
            return own.take(now);
        }
        if self.own.len() >= MAX_NAMESPACES {
            self.own.retain(|_, own| !own.is_full(now));
        }
        if self.own.len() >= MAX_NAMESPACES {
            return false;
        }
        self.own.entry(namespace.to_owned()).or_insert_with(|| RateLimit::new(OWN, now)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_namespace_has_a_share_that_no_other_can_spend() {
        let now = Instant::now();
        let mut budget = ReadBudget::new(SERVICE_ACCOUNTS, now);
        let taken = (0..100).filter(|_| budget.take("greedy", true, now)).count();
        assert_eq!(taken, 44, "its own share and all that is shared");
        let taken = (0..100).filter(|_| budget.take("shop", true, now)).count();
        assert_eq!(taken, 4);
        assert!(!budget.take("made-up", false, now));
        let later = now + Duration::from_millis(500);
        assert!((0..100).any(|_| !budget.take("greedy", true, later)));
        assert!(budget.take("shop", true, later));
    }

    #[test]
    fn namespaces_that_were_made_up_get_what_is_shared_only_and_need_no_memory() {
        let now = Instant::now();
        let mut budget = ReadBudget::new(SERVICE_ACCOUNTS, now);
        let names = (0..10_000).map(|number| format!("made-up-{number}"));
        let taken = names.filter(|name| budget.take(name, false, now)).count();
        assert_eq!((taken, budget.own.len()), (40, 0));
    }

    #[test]
    fn the_memory_for_namespaces_is_bounded() {
        let now = Instant::now();
        let mut budget = ReadBudget::new(SERVICE_ACCOUNTS, now);
        let names = (0..10_000).map(|number| format!("n-{number}"));
        assert!(names.filter(|name| budget.take(name, true, now)).count() >= MAX_NAMESPACES);
        assert_eq!(budget.own.len(), MAX_NAMESPACES);
        let later = now + Duration::from_secs(2);
        assert!(budget.take("new", true, later));
        assert_eq!(budget.own.len(), 1);
    }
}
