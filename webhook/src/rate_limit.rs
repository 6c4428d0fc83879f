//! A rate limit. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// How much a limit allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Permits per second in the long run.
    pub(crate) per_second: u32,
    /// Permits at once.
    pub(crate) burst: u32,
}

/// A token bucket.
///
/// The bucket is one instant instead of a counter (the "generic cell rate algorithm"), so nothing
/// has to refill it.
#[derive(Debug)]
pub(crate) struct RateLimit {
    rate: Rate,
    /// When every permit taken so far will have been paid for; in the past if the bucket is full.
    paid_at: Instant,
}

impl RateLimit {
    /// A full bucket.
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, paid_at: now }
    }

    /// Takes a permit; returns whether there was one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let each = Duration::from_secs(1) / self.rate.per_second;
        let paid_at = self.paid_at.max(now);
        let free = paid_at - now <= each * (self.rate.burst - 1);
        if free {
            self.paid_at = paid_at + each;
        }
        free
    }

    /// Whether no permit is missing.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.paid_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 20, burst: 40 };

    #[test]
    fn a_burst_is_immediate_and_the_bucket_refills() {
        let now = Instant::now();
        let mut limit = RateLimit::new(RATE, now);
        let mut taken = |now| (0..100).filter(|_| limit.take(now)).count();
        assert_eq!(taken(now), 40);
        assert_eq!(taken(now), 0);
        assert_eq!(taken(now + Duration::from_millis(50)), 1);
        assert_eq!(taken(now + Duration::from_millis(1050)), 20);
        assert_eq!(taken(now + Duration::from_secs(3600)), 40);
    }

    #[test]
    fn it_is_full_when_all_that_was_taken_is_back() {
        let now = Instant::now();
        let mut limit = RateLimit::new(RATE, now);
        assert!(limit.is_full(now));
        assert!(limit.take(now));
        assert!(!limit.is_full(now + Duration::from_millis(49)));
        assert!(limit.is_full(now + Duration::from_millis(50)));
    }
}
