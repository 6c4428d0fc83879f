//! A error that is remembered for a while.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::schedule::hold_for;
use crate::exchange::ExchangeError;

/// Until its time is over, callers get this error without anybody being asked.
pub(super) struct Hold {
    error: Arc<ExchangeError>,
    until: Timestamp,
    pause: SignedDuration,
}

impl Hold {
    /// Holds `error` from now on, longer than the time before.
    pub(super) fn new(before: Option<&Self>, error: &Arc<ExchangeError>, now: Timestamp) -> Self {
        let pause = hold_for(before.map(|before| before.pause));
        Self { error: Arc::clone(error), until: now.saturating_add(pause).unwrap_or(now), pause }
    }

    /// The error, while it is held.
    pub(super) fn stands(&self, now: Timestamp) -> Option<Arc<ExchangeError>> {
        (now < self.until).then(|| Arc::clone(&self.error))
    }

    /// Whether another error is the same in AWS's words.
    pub(super) fn is_like(&self, other: &ExchangeError) -> bool {
        self.error.code == other.code
    }
}
