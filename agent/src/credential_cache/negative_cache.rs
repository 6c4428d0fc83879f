//! An error that is remembered for a while, so that AWS is not asked again at each request.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::schedule::{negative_ttl, transient_ttl};
use crate::exchange::ExchangeError;

/// How long after a transient error's time the next one is remembered as briefly as the first.
const FORGOTTEN: SignedDuration = SignedDuration::from_secs(2);

/// A remembered error.
pub(super) struct CachedError {
    error: Arc<ExchangeError>,
    until: Timestamp,
    ttl: SignedDuration,
}

impl CachedError {
    /// Remembers `error` from now on, for longer than the `previous` error was.
    pub(super) fn new(previous: Option<&Self>, error: &Arc<ExchangeError>, now: Timestamp) -> Self {
        let ttl = negative_ttl(previous.map(|previous| previous.ttl));
        Self { error: Arc::clone(error), until: now.saturating_add(ttl).unwrap_or(now), ttl }
    }

    /// Remembers an error that may pass by itself, for longer than the `previous` one if that was
    /// just before.
    pub(super) fn transient(
        previous: Option<&Self>,
        error: &Arc<ExchangeError>,
        now: Timestamp,
    ) -> Self {
        let recent = |it: &&Self| now.duration_since(it.until) < FORGOTTEN;
        let previous = previous.filter(recent).map(|previous| previous.ttl);
        let ttl = transient_ttl(previous, error.is_throttling());
        Self { error: Arc::clone(error), until: now.saturating_add(ttl).unwrap_or(now), ttl }
    }

    /// The error, until its time is over.
    pub(super) fn get(&self, now: Timestamp) -> Option<Arc<ExchangeError>> {
        // A clock that was set back must not make it last longer.
        let left = self.until.duration_since(now);
        (left.is_positive() && left <= self.ttl).then(|| Arc::clone(&self.error))
    }

    /// Whether another error has the same code.
    pub(super) fn is_like(&self, other: &ExchangeError) -> bool {
        self.error.code == other.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;

    #[test]
    fn a_clock_that_is_set_back_makes_no_error_last_longer() {
        let error = Arc::new(ExchangeError::transient("Code", "text"));
        let cached = CachedError::new(None, &error, at(0));
        assert!(cached.get(at(1)).is_some() && cached.get(at(2)).is_none());
        assert!(cached.get(at(-1)).is_none());
        assert!(CachedError::transient(None, &error, at(0)).get(at(-7200)).is_none());
    }
}
