//! The time, as a value that a test can replace.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock. The daemon uses the machine's, a test its own.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    steady: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Clock {
    /// A clock that calls `now`, for ages too.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let now = Arc::new(now);
        Self { wall: now.clone(), steady: now }
    }

    /// A clock whose two times differ.
    #[cfg(test)]
    pub(crate) fn of(
        wall: impl Fn() -> Timestamp + Send + Sync + 'static,
        steady: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(wall), steady: Arc::new(steady) }
    }

    /// The time, for what others dated: tokens and sessions.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.wall)()
    }

    /// The time for ages. It never jumps: if the machine's clock is set back by an hour, an answer of the API server
    /// must not stay fresh for an hour.
    #[must_use]
    pub fn steady(&self) -> Timestamp {
        (self.steady)()
    }
}

impl Default for Clock {
    /// The machine's clocks.
    fn default() -> Self {
        let (epoch, started) = (podrole_runtime::clock::now(), Instant::now());
        let steady = move || {
            let age = SignedDuration::try_from(started.elapsed()).unwrap_or(SignedDuration::MAX);
            epoch.saturating_add(age).unwrap_or(Timestamp::MAX)
        };
        Self { wall: Arc::new(podrole_runtime::clock::now), steady: Arc::new(steady) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn the_steady_time_advances_with_the_monotonic_clock_alone() {
        let clock = Clock::default();
        let before = clock.steady();
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(clock.steady().duration_since(before), SignedDuration::from_secs(4));
    }
}
