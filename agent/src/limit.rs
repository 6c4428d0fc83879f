//! No pod can starve the node: each has so many requests a second, and no more.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::bounded::{Aged, Bounded};

/// Pods whose use is remembered; a node runs a few hundred.
const PODS: usize = 4096;
/// What may come at once, as a multiple of what may come in a second.
const BURST: f64 = 4.0;

/// A limit for each pod by its UID.
pub struct PodLimit {
    per_second: f64,
    buckets: Bounded<Box<str>, Arc<Bucket>>,
}

/// What one pod may ask still.
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

    /// Takes one, if there is one. Fills up as time goes.
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

impl Aged for Arc<Bucket> {
    fn asked(&self) -> i64 {
        self.level().at.as_millisecond()
    }
}

impl PodLimit {
    /// So many requests a second for each pod; 0 sets no limit.
    #[must_use]
    pub fn per_second(rate: u32) -> Self {
        Self { per_second: f64::from(rate), buckets: Bounded::entries(PODS) }
    }

    /// The pod's bucket; none where there is no limit.
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
