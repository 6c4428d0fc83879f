//! The rate limit for live reads of the API server.

use std::time::Duration;

use tokio::time::Instant;

/// Reads per second in the long run: twice what EKS's webhook allows itself.
const PER_SECOND: u32 = 20;
/// Reads that may start at once. Larger bursts are answered by lists, see `live_reads`.
const BURST: u32 = 40;

/// A token bucket of [`PER_SECOND`] and [`BURST`]. Pure: the time is an argument.
///
/// The bucket is one instant instead of a counter (the "generic cell rate algorithm"), so nothing
/// has to refill it.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// When every permit taken so far will have been paid for; in the past if the bucket is full.
    paid_at: Instant,
}

impl RateLimit {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Self {
        Self { paid_at: now }
    }

    /// Takes a permit and returns how long to wait before using it. Returns `None`, and takes
    /// nothing, if the wait would be longer than `at_most`.
    pub(crate) fn take(&mut self, now: Instant, at_most: Duration) -> Option<Duration> {
        let each = Duration::from_secs(1) / PER_SECOND;
        let paid_at = self.paid_at.max(now);
        let wait = (paid_at - now).saturating_sub(each * (BURST - 1));
        (wait <= at_most).then(|| {
            self.paid_at = paid_at + each;
            wait
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_immediate_and_further_permits_are_spread() {
        let now = Instant::now();
        let mut limit = RateLimit::new(now);
        for _ in 0..40 {
            assert_eq!(limit.take(now, Duration::ZERO), Some(Duration::ZERO));
        }
        assert_eq!(limit.take(now, Duration::ZERO), None);
        let second = Duration::from_secs(1);
        assert_eq!(limit.take(now, second), Some(Duration::from_millis(50)));
        assert_eq!(limit.take(now, second), Some(Duration::from_millis(100)));
    }

    #[test]
    fn a_rejected_permit_costs_nothing_and_the_bucket_refills() {
        let now = Instant::now();
        let mut limit = RateLimit::new(now);
        while limit.take(now, Duration::ZERO).is_some() {}
        let later = now + Duration::from_secs(1);
        let taken = (0..100).filter(|_| limit.take(later, Duration::ZERO).is_some());
        assert_eq!(taken.count(), 20);
        let much_later = now + Duration::from_secs(3600);
        let taken = (0..100).filter(|_| limit.take(much_later, Duration::ZERO).is_some());
        assert_eq!(taken.count(), 40);
    }
}
