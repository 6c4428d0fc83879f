//! Pods that were seen to end. A UID is never used again, so what has ended stays ended, whatever an API server answers
//! or does not answer later.

use std::time::Duration;

use moka::{policy::EvictionPolicy, sync::Cache};

/// About 300 kB. A node runs a few hundred pods.
const MAX_PODS: u64 = 4096;
/// A pod's token lives an hour or a day. A longer one is decided by a look-up after this time.
const TOKEN_LIFE: Duration = Duration::from_hours(24);

/// The UIDs of pods that ended, for as long as their tokens may be presented. Clones share them.
#[derive(Clone)]
pub(super) struct EndedPods(Cache<Box<str>, ()>);

impl Default for EndedPods {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(MAX_PODS).time_to_live(TOKEN_LIFE);
        // The default policy may refuse a new key, and the newest is the one whose token is used next.
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }
}

impl EndedPods {
    pub(super) fn insert(&self, uid: &str) {
        self.0.insert(uid.into(), ());
    }

    pub(super) fn contains(&self, uid: &str) -> bool {
        self.0.contains_key(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_4096_are_remembered() {
        let ended = EndedPods::default();
        for uid in 0..10_000 {
            ended.insert(&uid.to_string());
        }
        ended.0.run_pending_tasks();
        assert!((9000..10_000).all(|uid| ended.contains(&uid.to_string())));
        assert!(!ended.contains("0") && ended.0.entry_count() <= MAX_PODS);
    }
}
