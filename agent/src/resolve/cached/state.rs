//! What is known of one name, and what to do for a request that needs it. Pure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::health::ApiHealth;
use crate::resolve::{LookupError, lookup::LookupResult};

/// How long after it was asked for an answer is used without another look-up. The documentation promises that a
/// deleted or changed object takes effect within 5 s, plus the time of a look-up.
pub(super) const TTL: SignedDuration = SignedDuration::from_secs(4);
/// How long an error is remembered if nothing else is known, so that requests do not load an API server that fails.
const ERROR_TTL: SignedDuration = SignedDuration::from_secs(1);
/// An attempt that begins so soon after the last answer was asked for confirms it in time: until the attempt ends, the
/// answer may be used.
const PROMPT: SignedDuration = SignedDuration::from_secs(5);
/// How old an answer must be to be doubted.
const DOUBT: SignedDuration = SignedDuration::from_millis(250);
/// An attempt that has not ended after this time will not: it ends by itself after 5 s.
const LOST: SignedDuration = SignedDuration::from_secs(8);
/// A name that is read [`HOT_READS`] times within this time is hot.
const HOT_TIME: SignedDuration = SignedDuration::from_secs(60);
const HOT_READS: usize = 3;

/// What is known of one name.
pub(super) struct NameState<V> {
    answer: Option<Answer<V>>,
    failure: Option<Failure>,
    /// When the attempt in flight began.
    in_flight: Option<Timestamp>,
    /// The newest of the tasks that make the attempts; earlier ones end.
    follower: u64,
    /// Whether a watch reports each change of the answer.
    watched: bool,
    /// Until when the name is not watched: a watch of it has failed.
    no_watch_until: Timestamp,
    /// Whether the last known answer is used while look-ups fail.
    keeps_last: bool,
    /// The newest reads, the newest last.
    reads: [Timestamp; HOT_READS],
}

/// The newest answer of the API server.
struct Answer<V> {
    value: Option<Arc<V>>,
    /// When it was asked for: it is at least as new as that.
    asked: Timestamp,
}

/// How the newest attempt failed.
struct Failure {
    error: LookupError,
    ended: Timestamp,
}

/// What to do for a request.
pub(super) enum Step<V> {
    /// Answer with this.
    Answer(LookupResult<V>),
    /// Make an attempt in a task of this number, and wait for it.
    Begin(u64),
    /// Wait for the attempt that began then.
    Wait(Timestamp),
}

impl<V> NameState<V> {
    /// Nothing is known. With `keeps_last` the last known answer will be used while look-ups fail.
    pub(super) fn new(keeps_last: bool) -> Self {
        Self {
            answer: None,
            failure: None,
            in_flight: None,
            follower: 0,
            watched: false,
            no_watch_until: Timestamp::MIN,
            keeps_last,
            reads: [Timestamp::MIN; HOT_READS],
        }
    }

    /// What to do for a request at `now`.
    pub(super) fn step(&mut self, now: Timestamp) -> Step<V> {
        self.reads.rotate_left(1);
        self.reads[HOT_READS - 1] = now;
        if let (Some(answer), Some(until)) = (&self.answer, self.fresh_until(now))
            && now < until
        {
            return Step::Answer(Ok(answer.value.clone()));
        }
        if let Some(begun) = self.in_flight
            && now.duration_since(begun) < LOST
        {
            return Step::Wait(begun);
        }
        if let Some(failure) = &self.failure {
            let answer = self.last_known(failure);
            let ttl = if answer.is_ok() { TTL } else { ERROR_TTL };
            if now.duration_since(failure.ended) < ttl {
                return Step::Answer(answer);
            }
        }
        self.in_flight = Some(now);
        self.follower += 1;
        Step::Begin(self.follower)
    }

    /// What a request gets that has waited long enough for the attempt in flight, or `None` if only that attempt can
    /// answer it.
    ///
    /// A slow API server must not keep a removed role alive, so slowness alone does not permit an old answer.
    pub(super) fn meanwhile(&self, health: &ApiHealth, now: Timestamp) -> Option<LookupResult<V>> {
        let (answer, begun) = self.answer.as_ref().zip(self.in_flight)?;
        let prompt = begun.duration_since(answer.asked) <= PROMPT;
        let away = self.keeps_last && health.is_away(begun, now);
        (prompt || away).then(|| Ok(answer.value.clone()))
    }

    /// The result of the newest attempt that ended; if it failed, the last known answer.
    pub(super) fn newest(&self) -> Option<LookupResult<V>> {
        match (&self.failure, &self.answer) {
            (Some(failure), _) => Some(self.last_known(failure)),
            (None, answer) => answer.as_ref().map(|answer| Ok(answer.value.clone())),
        }
    }

    fn last_known(&self, failure: &Failure) -> LookupResult<V> {
        let known = self.answer.as_ref().filter(|_| self.keeps_last);
        known.map(|answer| answer.value.clone()).ok_or_else(|| failure.error.clone())
    }

    /// When the attempt in flight began.
    pub(super) fn in_flight(&self) -> Option<Timestamp> {
        self.in_flight
    }

    /// Whether the task `follower` is the one that makes the attempts.
    pub(super) fn is_followed_by(&self, follower: u64) -> bool {
        self.follower == follower
    }

    /// Begins an attempt of the task `follower` that no request asked for, unless a later task makes them now.
    pub(super) fn begin(&mut self, follower: u64, now: Timestamp) -> bool {
        let begins = self.is_followed_by(follower) && self.in_flight.is_none();
        if begins {
            self.in_flight = Some(now);
        }
        begins
    }

    /// The attempt in flight ended at `now`.
    pub(super) fn end(&mut self, result: LookupResult<V>, now: Timestamp) {
        let asked = self.in_flight.take().unwrap_or(now);
        match result {
            Ok(value) => {
                self.answer = Some(Answer { value, asked });
                self.failure = None;
            }
            Err(error) => self.failure = Some(Failure { error, ended: now }),
        }
    }

    /// A watch reports each change from now on.
    pub(super) fn set_watched(&mut self) {
        self.watched = true;
    }

    /// Does not watch the name until then.
    pub(super) fn pause_watches(&mut self, until: Timestamp) {
        self.no_watch_until = until;
    }

    /// The answer may have changed: the watch says so, or it has ended. Until now it was current.
    pub(super) fn outdated(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.watched)
            && let Some(answer) = &mut self.answer
        {
            answer.asked = now.saturating_sub(TTL).unwrap_or(answer.asked);
        }
    }

    /// The answer contradicts a token, which was issued after what it shows: an object that was just created, or created
    /// again. It is asked for again, but not for each request with such a token.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        if let Some(answer) = &mut self.answer
            && now.duration_since(answer.asked) >= DOUBT
        {
            self.watched = false;
            answer.asked = now.saturating_sub(PROMPT + DOUBT).unwrap_or(answer.asked);
        }
    }

    /// Until when a request gets the same answer without a look-up.
    pub(super) fn fresh_until(&self, now: Timestamp) -> Option<Timestamp> {
        let answer = self.answer.as_ref()?;
        let confirmed = if self.watched { now } else { answer.asked };
        Some(confirmed.saturating_add(TTL).unwrap_or(Timestamp::MAX))
    }

    /// Whether a request has read it since then.
    pub(super) fn is_read_since(&self, then: Timestamp) -> bool {
        self.reads[HOT_READS - 1] >= then
    }

    /// Whether it is read so often that a watch costs less than look-ups, and exists if it must.
    pub(super) fn is_hot(&self, watches_missing: bool, now: Timestamp) -> bool {
        let answer = self.answer.as_ref();
        let may_be = answer.is_some_and(|answer| watches_missing || answer.value.is_some());
        may_be
            && self.failure.is_none()
            && now >= self.no_watch_until
            && now.duration_since(self.reads[0]) <= HOT_TIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    fn failed() -> LookupResult<u8> {
        Err(LookupError::Failed("away".to_owned()))
    }

    /// A state with the answer 1, asked for at 0 s.
    fn known() -> NameState<u8> {
        let mut state = NameState::new(true);
        assert!(matches!(state.step(at(0)), Step::Begin(_)));
        state.end(Ok(Some(1.into())), at(10));
        state
    }

    fn answer(step: Step<u8>) -> LookupResult<u8> {
        let Step::Answer(answer) = step else { panic!("no answer") };
        answer
    }

    #[test]
    fn an_answer_is_used_for_4_s_from_when_it_was_asked_for() {
        let mut state = known();
        assert_eq!(answer(state.step(at(3_999))), Ok(Some(1.into())));
        assert!(matches!(state.step(at(4_000)), Step::Begin(_)));
        assert!(matches!(state.step(at(4_100)), Step::Wait(begun) if begun == at(4_000)));
    }

    #[test]
    fn a_slow_look_up_permits_the_old_answer_only_if_it_began_in_time() {
        let mut state = known();
        let health = ApiHealth::default();
        assert!(matches!(state.step(at(5_000)), Step::Begin(_)));
        assert_eq!(state.meanwhile(&health, at(5_300)), Some(Ok(Some(1.into()))));
        let mut state = known();
        assert!(matches!(state.step(at(5_001)), Step::Begin(_)));
        assert_eq!(state.meanwhile(&health, at(5_301)), None);
        let silent = at(6_001);
        assert_eq!(state.meanwhile(&health, silent), Some(Ok(Some(1.into()))), "it is away");
        state.keeps_last = false;
        assert_eq!(state.meanwhile(&health, silent), None);
        assert_eq!(NameState::<u8>::new(true).meanwhile(&health, silent), None, "nothing is known");
    }

    #[test]
    fn the_last_known_answer_stays_while_look_ups_fail() {
        let mut state = known();
        assert!(matches!(state.step(at(9_000)), Step::Begin(_)));
        state.end(failed(), at(14_000));
        assert_eq!(answer(state.step(at(17_999))), Ok(Some(1.into())));
        assert!(matches!(state.step(at(18_000)), Step::Begin(_)), "it is remembered for 4 s");
        state.end(Ok(None), at(18_001));
        assert_eq!(answer(state.step(at(18_002))), Ok(None), "it was deleted meanwhile");
        let mut unknown = NameState::new(true);
        assert!(matches!(unknown.step(at(0)), Step::Begin(_)));
        unknown.end(failed(), at(1));
        assert_eq!(answer(unknown.step(at(1_000))), failed());
        assert!(matches!(unknown.step(at(1_001)), Step::Begin(_)), "and 1 s if nothing is known");
        let mut forgetful = known();
        forgetful.keeps_last = false;
        assert!(matches!(forgetful.step(at(9_000)), Step::Begin(_)));
        forgetful.end(failed(), at(9_001));
        assert_eq!(answer(forgetful.step(at(9_002))), failed());
    }

    #[test]
    fn a_watched_answer_stays_fresh_until_the_watch_reports_a_change() {
        let mut state = known();
        state.set_watched();
        assert_eq!(answer(state.step(at(3_600_000))), Ok(Some(1.into())));
        assert_eq!(state.fresh_until(at(0)), Some(at(4_000)));
        state.outdated(at(3_600_000));
        assert!(matches!(state.step(at(3_600_001)), Step::Begin(_)));
        let meanwhile = state.meanwhile(&ApiHealth::default(), at(3_600_301));
        assert_eq!(meanwhile, Some(Ok(Some(1.into()))), "it was current until then");
    }

    #[test]
    fn a_doubted_answer_is_asked_for_again_but_not_at_once() {
        let mut state = known();
        state.set_watched();
        state.doubt(at(249));
        assert_eq!(answer(state.step(at(249))), Ok(Some(1.into())));
        state.doubt(at(250));
        assert!(matches!(state.step(at(250)), Step::Begin(_)), "though a watch shows no change");
        assert_eq!(
            state.meanwhile(&ApiHealth::default(), at(600)),
            None,
            "it is not used meanwhile"
        );
    }

    #[test]
    fn three_reads_within_a_minute_make_an_existing_name_hot() {
        let mut state = known();
        state.step(at(1_000));
        assert!(!state.is_hot(false, at(1_000)));
        state.step(at(2_000));
        assert!(state.is_hot(false, at(60_000)) && !state.is_hot(false, at(60_001)));
        state.pause_watches(at(50_000));
        assert!(!state.is_hot(false, at(49_999)) && state.is_hot(false, at(50_000)));
        let mut missing = NameState::<u8>::new(true);
        for _ in 0..3 {
            missing.step(at(0));
        }
        missing.end(Ok(None), at(0));
        assert!(!missing.is_hot(false, at(0)) && missing.is_hot(true, at(0)));
    }
}
