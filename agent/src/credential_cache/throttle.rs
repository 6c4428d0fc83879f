//! Pauses refreshes while AWS throttles, which leaves its quota to fetches that requests wait for.

use std::sync::PoisonError;

use jiff::{SignedDuration, Timestamp};

use super::schedule::pause_after_throttling;
use crate::sync::Mutex;

/// The longest pause.
const LONGEST: SignedDuration = SignedDuration::from_secs(30);

/// The pause of refreshes. They can wait: what they replace is valid for more than half its life.
#[derive(Default)]
pub(super) struct Throttle(Mutex<Pause>);

#[derive(Default)]
struct Pause {
    until: Timestamp,
    length: Option<SignedDuration>,
}

impl Throttle {
    /// Records that AWS throttled a call: refreshes pause, each time for longer.
    pub(super) fn slow_down(&self, now: Timestamp) {
        let mut pause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now < pause.until {
            // Another call of the same burst, for which the pause has been lengthened already.
            return;
        }
        let length = pause_after_throttling(pause.length);
        pause.length = Some(length);
        pause.until = now.saturating_add(length).unwrap_or(now);
    }

    /// Records that a call succeeded: the next pause is the shortest again.
    pub(super) fn recover(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).length = None;
    }

    /// How long refreshes still have to wait.
    pub(super) fn remaining(&self, now: Timestamp) -> Option<SignedDuration> {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner).until;
        // A clock that was set back must not make it last longer.
        let left = until.duration_since(now).min(LONGEST);
        left.is_positive().then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;

    #[test]
    fn pauses_grow_while_aws_throttles_and_a_success_resets_them() {
        let throttle = Throttle::default();
        assert_eq!(throttle.remaining(at(0)), None);
        throttle.slow_down(at(0));
        throttle.slow_down(at(1));
        assert_eq!(throttle.remaining(at(1)), Some(SignedDuration::from_secs(1)));
        assert_eq!(throttle.remaining(at(2)), None);
        throttle.slow_down(at(2));
        assert_eq!(throttle.remaining(at(2)), Some(SignedDuration::from_secs(4)));
        throttle.recover();
        throttle.slow_down(at(6));
        assert_eq!(throttle.remaining(at(6)), Some(SignedDuration::from_secs(2)));
    }
}
