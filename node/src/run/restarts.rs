//! Whether and when an agent that has ended is started again. Pure.

use std::time::Duration;

/// An agent that ran for less counts as one that ended at once.
const LONG: Duration = Duration::from_secs(10);
/// The pause after the first agent that ended at once; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// After so many that ended at once, about 40 s, this program ends too: then the kubelet's back-off
/// counts, and `kubectl get pods` shows it.
const MAX_QUICK: u32 = 16;

/// How an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, with this exit code.
    Code(u8),
    /// Killed by a signal: a crash, or from outside.
    Signal(i32),
    /// Killed by this program, because it did not answer.
    Hung,
    /// It could not be started, although an earlier one could.
    NotStarted,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Start another one after this pause.
    Start(Duration),
    /// End with this exit code.
    End(u8),
}

/// The agents so far.
#[derive(Default)]
pub(super) struct Restarts {
    /// How many ended at once or were never ready, one after the other.
    quick: u32,
    /// How many were started after the first.
    pub(super) count: u64,
}

impl Restarts {
    /// What follows when an agent ended after `lived`. One that was never `ready` and ends by itself has a reason that
    /// does not pass, such as an invalid flag.
    pub(super) fn next(&mut self, ended: Ended, lived: Duration, ready: bool) -> Next {
        match ended {
            Ended::Code(0) => return Next::End(0),
            Ended::Code(code) if !ready => return Next::End(code),
            _ => {}
        }
        // One that never gets ready is no better, however long that takes, and may keep the next release from the port.
        self.quick = if lived < LONG || !ready { self.quick + 1 } else { 0 };
        if self.quick > MAX_QUICK {
            return Next::End(1);
        }
        self.count += 1;
        let pause = FIRST_PAUSE.saturating_mul(1 << self.quick.saturating_sub(1).min(16));
        Next::Start(pause.min(MAX_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(4);

    #[test]
    fn an_agent_that_is_killed_is_started_again_in_milliseconds() {
        let mut restarts = Restarts::default();
        for milliseconds in [10, 20, 40, 80] {
            let next = restarts.next(Ended::Signal(9), SHORT, true);
            assert_eq!(next, Next::Start(Duration::from_millis(milliseconds)));
        }
        assert_eq!(restarts.count, 4);
        let next = restarts.next(Ended::Hung, LONG, true);
        assert_eq!(next, Next::Start(FIRST_PAUSE), "it ran for long");
    }

    #[test]
    fn one_that_ends_at_once_again_and_again_is_left_to_the_kubelet() {
        let mut restarts = Restarts::default();
        let mut waited = Duration::ZERO;
        let code = loop {
            let (ended, lived) = if waited.is_zero() {
                (Ended::Hung, LONG)
            } else {
                (Ended::NotStarted, Duration::ZERO)
            };
            match restarts.next(ended, lived, false) {
                Next::Start(pause) => waited += pause,
                Next::End(code) => break code,
            }
        };
        assert_eq!((code, restarts.count), (1, u64::from(MAX_QUICK)));
        assert!((35..45).contains(&waited.as_secs()), "{waited:?}");
    }

    #[test]
    fn an_error_of_the_start_is_not_repeated() {
        let mut restarts = Restarts::default();
        assert_eq!(restarts.next(Ended::Code(2), SHORT, false), Next::End(2));
        assert_eq!(restarts.next(Ended::Code(2), SHORT, true), Next::Start(FIRST_PAUSE));
        assert_eq!(restarts.next(Ended::Code(0), SHORT, true), Next::End(0));
    }
}
