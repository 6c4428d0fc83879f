//! A rate limit for each pod, so that no pod can starve the others on its node.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::lru::{LruCache, LruValue};

/// How many pods have a bucket. A node runs a few hundred; a pod whose bucket is evicted starts
/// with a full one.
const PODS: usize = 4096;
/// A bucket's capacity, as a multiple of what may come in a second.
const BURST: f64 = 4.0;

/// The pods' buckets by UID.
pub struct PodLimit {
    per_second: f64,
    buckets: LruCache<Box<str>, Arc<Bucket>>,
}

/// A token bucket: how many requests one pod has left.
pub struct Bucket {
    per_second: f64,
    level: Mutex<Level>,
}

#[derive(Clone, Copy)]
struct Level {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn full(per_second: f64, now: Timestamp) -> Self {
        let level = Level { left: per_second * BURST, at: now };
        Self { per_second, level: Mutex::new(level) }
    }

    fn level(&self) -> std::sync::MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one request, or returns false if none is left. The bucket refills with time.
    #[must_use]
    pub fn take(&self, now: Timestamp) -> bool {
        let mut level = self.level();
        let passed = now.duration_since(level.at).as_secs_f64().max(0.0);
        level.left = (level.left + passed * self.per_second).min(self.per_second * BURST);
        level.at = now;
        let enough = level.left >= 1.0;
        if enough {
            level.left -= 1.0;
        }
        enough
    }
}

impl Bucket {
    /// Whether no request is left.
    pub(crate) fn is_empty(&self, now: Timestamp) -> bool {
        let level = self.level();
        let passed = now.duration_since(level.at).as_secs_f64().max(0.0);
        level.left + passed * self.per_second < 1.0
    }
}

impl LruValue for Arc<Bucket> {
    fn last_used(&self) -> i64 {
        self.level().at.as_millisecond()
    }
}

impl PodLimit {
    /// A limit of `rate` requests per second and pod; 0 sets none.
    #[must_use]
    pub fn per_second(rate: u32) -> Self {
        Self { per_second: f64::from(rate), buckets: LruCache::with_entries(PODS) }
    }

    /// The pod's bucket, if it has one already.
    pub(crate) fn known_bucket(&self, pod_uid: &str) -> Option<Arc<Bucket>> {
        self.buckets.get(pod_uid)
    }

    /// The pod's bucket, or `None` if there is no limit.
    #[must_use]
    pub fn bucket(&self, pod_uid: &str, now: Timestamp) -> Option<Arc<Bucket>> {
        if self.per_second == 0.0 {
            return None;
        }
        let full = || Arc::new(Bucket::full(self.per_second, now));
        let known = self.buckets.get(pod_uid);
        Some(known.unwrap_or_else(|| self.buckets.get_or_insert_with(&pod_uid.into(), full)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;

    fn admitted(limit: &PodLimit, pod: &str, second: i64) -> usize {
        let now = at(second);
        let admits = |_: &i32| limit.bucket(pod, now).is_none_or(|bucket| bucket.take(now));
        (0..1000).filter(admits).count()
    }

    #[test]
    fn each_pod_has_a_share_of_its_own() {
        let limit = PodLimit::per_second(50);
        assert_eq!(admitted(&limit, "greedy", 0), 200);
        assert_eq!(admitted(&limit, "modest", 0), 200);
        assert_eq!(admitted(&limit, "greedy", 0), 0);
        assert_eq!(admitted(&limit, "greedy", 1), 50);
        assert_eq!(admitted(&limit, "greedy", 100), 200);
        assert_eq!(admitted(&limit, "greedy", 90), 0, "a clock that is set back refills nothing");
    }

    #[test]
    fn a_rate_of_0_sets_no_limit() {
        assert_eq!(admitted(&PodLimit::per_second(0), "greedy", 0), 1000);
    }
}
