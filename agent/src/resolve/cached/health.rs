//! Whether the API server answers at all. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::resolve::LookupError;

/// A look-up that takes longer, while no other is answered, shows that nothing is answered. Slow API servers are quicker.
pub(super) const SILENCE: SignedDuration = SignedDuration::from_secs(1);
/// How long a look-up that could not reach the API server says so of the next ones.
const AWAY: SignedDuration = SignedDuration::from_secs(10);

/// The newest results of look-ups of any name.
#[derive(Debug)]
pub(super) struct ApiHealth {
    answered: Timestamp,
    unreachable: Timestamp,
}

impl Default for ApiHealth {
    fn default() -> Self {
        Self { answered: Timestamp::MIN, unreachable: Timestamp::MIN }
    }
}

impl ApiHealth {
    /// A look-up ended. An error that the API server answered with, as 429 is, says nothing of other names.
    pub(super) fn note(&mut self, error: Option<&LookupError>, now: Timestamp) {
        match error {
            None => self.answered = now,
            Some(LookupError::Unreachable(_)) => self.unreachable = now,
            Some(LookupError::Failed(_) | LookupError::Forbidden(_)) => {}
        }
    }

    /// Whether a look-up that began at `begun` and has not ended at `now` will have no answer, as far as is known.
    pub(super) fn is_away(&self, begun: Timestamp, now: Timestamp) -> bool {
        let silent = self.answered < begun && now.duration_since(begun) >= SILENCE;
        let lately = now.duration_since(self.unreachable) < AWAY;
        silent || (lately && self.answered < self.unreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn silence_of_a_second_shows_that_it_is_away() {
        let mut health = ApiHealth::default();
        health.note(None, at(0));
        assert!(!health.is_away(at(10), at(1_009)) && health.is_away(at(10), at(1_010)));
        health.note(None, at(500));
        assert!(!health.is_away(at(10), at(5_000)), "another look-up was answered");
    }

    #[test]
    fn only_an_unreachable_api_server_is_away_for_others() {
        let mut health = ApiHealth::default();
        let error = "no".to_owned();
        for answered in [LookupError::Failed(error.clone()), LookupError::Forbidden(error.clone())]
        {
            health.note(Some(&answered), at(0));
            assert!(!health.is_away(at(1), at(301)), "{answered}");
        }
        health.note(Some(&LookupError::Unreachable(error)), at(0));
        assert!(health.is_away(at(1), at(301)));
        assert!(!health.is_away(at(9_700), at(10_000)), "that was long ago");
        health.note(None, at(2));
        assert!(!health.is_away(at(3), at(303)));
    }
}
