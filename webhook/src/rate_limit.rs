//! How many live reads the API server is asked to bear.

use std::time::Duration;

use tokio::time::Instant;

/// Live reads in a second, on the long run.
const PER_SECOND: u32 = 20;
/// Live reads that may come at once.
const BURST: u32 = 40;

/// A budget of 20 reads a second, with a burst of 40. Pure: the time is an argument.
#[derive(Debug)]
pub(crate) struct Budget {
    /// When all that was taken will have been earned.
    earned: Instant,
}

impl Budget {
    /// A full budget.
    pub(crate) fn new(now: Instant) -> Self {
        Self { earned: now }
    }

    /// Takes a read and says how long to wait before making it; `None`, with nothing taken, where
    /// that would be longer than `at_most`.
    pub(crate) fn take(&mut self, now: Instant, at_most: Duration) -> Option<Duration> {
        let each = Duration::from_secs(1) / PER_SECOND;
        let earned = self.earned.max(now);
        let wait = (earned - now).saturating_sub(each * (BURST - 1));
        (wait <= at_most).then(|| {
            self.earned = earned + each;
            wait
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_reads_are_spread() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        for _ in 0..40 {
            assert_eq!(budget.take(now, Duration::ZERO), Some(Duration::ZERO));
        }
        assert_eq!(budget.take(now, Duration::ZERO), None);
        let second = Duration::from_secs(1);
        assert_eq!(budget.take(now, second), Some(Duration::from_millis(50)));
        assert_eq!(budget.take(now, second), Some(Duration::from_millis(100)));
    }

    #[test]
    fn what_is_refused_costs_nothing_and_time_earns() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        while budget.take(now, Duration::ZERO).is_some() {}
        let later = now + Duration::from_secs(1);
        let taken = (0..100).filter(|_| budget.take(later, Duration::ZERO).is_some());
        assert_eq!(taken.count(), 20);
        let much_later = now + Duration::from_secs(3600);
        let taken = (0..100).filter(|_| budget.take(much_later, Duration::ZERO).is_some());
        assert_eq!(taken.count(), 40);
    }
}
