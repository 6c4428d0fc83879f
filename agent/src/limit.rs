//! No pod can starve the node: each has so many requests a second, and no more.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use moka::{policy::EvictionPolicy, sync::Cache};

/// Pods whose use is remembered; a node runs a few hundred.
const PODS: u64 = 4096;
/// What may come at once, as a multiple of what may come in a second.
const BURST: f64 = 4.0;

/// A limit for each pod by its UID.
pub struct PodLimit {
    per_second: f64,
    buckets: Cache<String, Arc<Mutex<Bucket>>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    /// Takes one, if there is one. Fills up as time goes.
    fn take(&mut self, per_second: f64, now: Timestamp) -> bool {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.left = (self.left + passed * per_second).min(per_second * BURST);
        self.at = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

impl PodLimit {
    /// So many requests a second for each pod; 0 sets no limit.
    #[must_use]
    pub fn per_second(rate: u32) -> Self {
        let buckets =
            Cache::builder().max_capacity(PODS).eviction_policy(EvictionPolicy::lru()).build();
        Self { per_second: f64::from(rate), buckets }
    }

    /// Whether the pod may ask once more now.
    #[must_use]
    pub fn admits(&self, pod_uid: &str, now: Timestamp) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let known = self.buckets.get(pod_uid);
        let bucket = known.unwrap_or_else(|| {
            let full = Bucket { left: self.per_second * BURST, at: now };
            self.buckets.get_with(pod_uid.to_owned(), || Arc::new(Mutex::new(full)))
        });
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(self.per_second, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;

    fn admitted(limit: &PodLimit, pod: &str, second: i64) -> usize {
        (0..1000).filter(|_| limit.admits(pod, at(second))).count()
    }

    #[test]
    fn a_pod_has_its_share_and_takes_nothing_from_others() {
        let limit = PodLimit::per_second(50);
        assert_eq!(admitted(&limit, "greedy", 0), 200);
        assert_eq!(admitted(&limit, "modest", 0), 200);
        assert_eq!(admitted(&limit, "greedy", 0), 0);
        assert_eq!(admitted(&limit, "greedy", 1), 50);
        assert_eq!(admitted(&limit, "greedy", 100), 200);
        assert_eq!(admitted(&limit, "greedy", 90), 0, "a clock set back gives nothing");
    }

    #[test]
    fn a_rate_of_0_is_no_limit() {
        assert_eq!(admitted(&PodLimit::per_second(0), "greedy", 0), 1000);
    }
}
