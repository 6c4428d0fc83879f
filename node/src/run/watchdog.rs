//! Asks the agent again and again whether it works.

use std::{cell::Cell, path::Path, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use crate::health::{READY, ask};

/// The pause between two questions, and the least that one without an answer counts.
const INTERVAL: Duration = Duration::from_secs(1);
/// After so long without an answer the agent hangs. A question stays open until then, because an agent with thousands of
/// connections and little CPU time answers late.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// The same before the first answer: the agent opens its health socket as soon as it has read its flags.
const MAX_START: Duration = Duration::from_secs(30);
/// How much of the silence one question may use up. If this process was stopped for long, together with the agent, the
/// next question finds the agent working.
const MAX_QUESTION: Duration = Duration::from_secs(9);

/// What is known of a running agent.
#[derive(Default)]
pub(super) struct Watchdog {
    answered: Cell<bool>,
    ready: Cell<bool>,
    silence: Cell<Duration>,
}

impl Watchdog {
    /// Whether it has ever been ready.
    pub(super) fn was_ready(&self) -> bool {
        self.ready.get()
    }

    /// Ends when the agent hangs.
    pub(super) async fn watch(&self, path: &Path) {
        loop {
            let (begun, patience) = (Instant::now(), self.patience());
            let answer = timeout(patience, ask(path)).await;
            if self.is_hung(answer.ok().and_then(Result::ok).as_deref(), begun.elapsed()) {
                return;
            }
            sleep(INTERVAL.saturating_sub(begun.elapsed())).await;
        }
    }

    fn limit(&self) -> Duration {
        if self.answered.get() { MAX_SILENCE } else { MAX_START }
    }

    /// How long the next question may take.
    fn patience(&self) -> Duration {
        self.limit().saturating_sub(self.silence.get()).min(MAX_QUESTION)
    }

    /// Counts one answer, or that there was none after this time.
    fn is_hung(&self, answer: Option<&str>, after: Duration) -> bool {
        let Some(answer) = answer else {
            self.silence.set(self.silence.get() + after.clamp(INTERVAL, MAX_QUESTION));
            return self.silence.get() >= self.limit();
        };
        self.answered.set(true);
        self.ready.set(self.ready.get() || answer == READY);
        self.silence.set(Duration::ZERO);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn ten_seconds_of_silence_show_that_it_hangs_and_a_start_may_take_longer() {
        let watchdog = Watchdog::default();
        assert!((0..29).all(|_| !watchdog.is_hung(None, AT_ONCE)));
        assert!(watchdog.is_hung(None, AT_ONCE));
        let watchdog = Watchdog::default();
        for _ in 0..3 {
            assert!(!watchdog.is_hung(Some("waiting for keys"), AT_ONCE));
            assert!((0..9).all(|_| !watchdog.is_hung(None, AT_ONCE)));
        }
        assert!(!watchdog.was_ready());
        assert!(!watchdog.is_hung(Some(READY), AT_ONCE) && watchdog.was_ready());
        assert!((0..9).all(|_| !watchdog.is_hung(None, AT_ONCE)));
        assert!(watchdog.is_hung(None, AT_ONCE));
    }

    #[test]
    fn a_late_answer_is_waited_for_and_a_stop_of_both_processes_is_not_the_agents_silence() {
        let watchdog = Watchdog::default();
        watchdog.is_hung(Some(READY), AT_ONCE);
        assert_eq!(watchdog.patience(), MAX_QUESTION);
        assert!(!watchdog.is_hung(None, Duration::from_secs(3600)), "one question");
        assert_eq!(watchdog.patience(), Duration::from_secs(1));
        assert!(!watchdog.is_hung(Some(READY), AT_ONCE));
        assert!(!watchdog.is_hung(None, MAX_QUESTION));
        assert!(watchdog.is_hung(None, Duration::from_secs(1)));
    }
}
