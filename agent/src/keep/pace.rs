//! AWS asks for patience now and then: refreshes wait, so that who waits in person comes first.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::schedule::pause_after_throttling;

/// How fast refreshes go. They have time: what they renew lives on for more than half its life.
#[derive(Default)]
pub(super) struct Pace(Mutex<State>);

#[derive(Default)]
struct State {
    until: Timestamp,
    pause: Option<SignedDuration>,
}

impl Pace {
    /// AWS throttled us: refreshes pause, longer each time.
    pub(super) fn slow_down(&self, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now < state.until {
            // Others of the same burst; the pause counts them already.
            return;
        }
        let pause = pause_after_throttling(state.pause);
        state.pause = Some(pause);
        state.until = now.saturating_add(pause).unwrap_or(now);
    }

    /// AWS gave something: the next pause is a short one again.
    pub(super) fn recover(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pause = None;
    }

    /// How long refreshes still wait.
    pub(super) fn pause(&self, now: Timestamp) -> Option<SignedDuration> {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner).until;
        (now < until).then(|| until.duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;

    #[test]
    fn pauses_grow_while_aws_throttles_and_end_when_it_gives() {
        let pace = Pace::default();
        assert_eq!(pace.pause(at(0)), None);
        pace.slow_down(at(0));
        pace.slow_down(at(1));
        assert_eq!(pace.pause(at(1)), Some(SignedDuration::from_secs(1)));
        assert_eq!(pace.pause(at(2)), None);
        pace.slow_down(at(2));
        assert_eq!(pace.pause(at(2)), Some(SignedDuration::from_secs(4)));
        pace.recover();
        pace.slow_down(at(6));
        assert_eq!(pace.pause(at(6)), Some(SignedDuration::from_secs(2)));
    }
}
