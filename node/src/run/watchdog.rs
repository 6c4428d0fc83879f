//! Asks the agent again and again whether it works.

use std::{cell::Cell, path::Path, time::Duration};

use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::health::{READY, ask};

/// How often the agent is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer may take: with the interval, so that a question in flight does not delay the next one.
const PATIENCE: Duration = Duration::from_millis(900);
/// After so many questions in a row without an answer the agent hangs. Its answer needs no lock and no other process, so
/// only a machine without any CPU time could delay it for so long.
const MAX_SILENCE: u32 = 10;
/// The same before the first answer: the agent opens its health socket as soon as it has read its flags.
const MAX_START: u32 = 30;

/// What is known of a running agent.
#[derive(Default)]
pub(super) struct Watchdog {
    answered: Cell<bool>,
    ready: Cell<bool>,
    silent: Cell<u32>,
}

impl Watchdog {
    /// Whether it has ever been ready.
    pub(super) fn was_ready(&self) -> bool {
        self.ready.get()
    }

    /// Ends when the agent hangs.
    pub(super) async fn watch(&self, path: &Path) {
        let mut ticks = interval(INTERVAL);
        // If this process was stopped too, the missed questions are not made up for: the agent was not asked them.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let answer = timeout(PATIENCE, ask(path)).await;
            if self.is_hung(answer.ok().and_then(Result::ok).as_deref()) {
                return;
            }
        }
    }

    /// Counts one answer, or that there was none.
    fn is_hung(&self, answer: Option<&str>) -> bool {
        match answer {
            Some(answer) => {
                self.answered.set(true);
                self.ready.set(self.ready.get() || answer == READY);
                self.silent.set(0);
            }
            None => self.silent.set(self.silent.get() + 1),
        }
        let most = if self.answered.get() { MAX_SILENCE } else { MAX_START };
        self.silent.get() >= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_of_silence_show_that_it_hangs_and_a_start_may_take_longer() {
        let watchdog = Watchdog::default();
        assert!((0..29).all(|_| !watchdog.is_hung(None)));
        assert!(watchdog.is_hung(None));
        let watchdog = Watchdog::default();
        for _ in 0..3 {
            assert!(!watchdog.is_hung(Some("waiting for keys")));
            assert!((0..9).all(|_| !watchdog.is_hung(None)));
        }
        assert!(!watchdog.was_ready());
        assert!(!watchdog.is_hung(Some(READY)) && watchdog.was_ready());
        assert!((0..9).all(|_| !watchdog.is_hung(None)) && watchdog.is_hung(None));
    }
}
