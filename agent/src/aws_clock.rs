//! AWS's clock, as its answers show it. A node's clock can be wrong by hours (a laptop that slept, a
//! virtual machine that was suspended), and AWS says when a session ends by its own clock.
//!
//! The header `Date` of an answer has whole seconds and is as old as the answer's way took, so
//! differences below 10 s count as none.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use prometheus_client::metrics::gauge::Gauge;

use crate::clock::Clock;

/// A difference that is not corrected, because it can be the answer's way.
const TOLERATED: SignedDuration = SignedDuration::from_secs(10);
/// A difference that is logged.
const LOGGED: SignedDuration = SignedDuration::from_secs(60);
/// The time between two lines.
const BETWEEN_LINES: SignedDuration = SignedDuration::from_hours(1);

/// The node's clock, and how far AWS's is from it. Clones share what was measured.
#[derive(Clone)]
pub struct AwsClock {
    clock: Clock,
    /// How many milliseconds AWS's clock is ahead of the node's.
    ahead: Arc<AtomicI64>,
    /// When the difference was logged, by [`Clock::steady`].
    logged: Arc<Mutex<Option<Timestamp>>>,
    gauge: Gauge,
}

impl Default for AwsClock {
    fn default() -> Self {
        Self::new(Clock::default(), Gauge::default())
    }
}

impl std::fmt::Debug for AwsClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsClock").field("ahead", &self.ahead()).finish_non_exhaustive()
    }
}

impl AwsClock {
    /// A clock that AWS has not been compared with. `gauge` shows by how many seconds AWS's is ahead.
    #[must_use]
    pub fn new(clock: Clock, gauge: Gauge) -> Self {
        Self { clock, ahead: Arc::default(), logged: Arc::default(), gauge }
    }

    /// How far AWS's clock is ahead of the node's; negative if it is behind.
    #[must_use]
    pub fn ahead(&self) -> SignedDuration {
        SignedDuration::from_millis(self.ahead.load(Relaxed))
    }

    /// AWS's time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        now.saturating_add(self.ahead()).unwrap_or(now)
    }

    /// The time by the node's clock at which AWS's shows `time`.
    #[must_use]
    pub fn by_the_node(&self, time: Timestamp) -> Timestamp {
        time.saturating_sub(self.ahead()).unwrap_or(time)
    }

    /// Notes the header `Date` of an answer that has just come. Another text is ignored.
    pub fn observe(&self, date: &str) {
        // The form of HTTP is one of RFC 2822's.
        let Ok(date) = rfc2822::parse(date) else { return };
        let ahead = measured(date.timestamp(), self.clock.now());
        self.ahead.store(i64::try_from(ahead.as_millis()).unwrap_or_default(), Relaxed);
        self.gauge.set(ahead.as_secs());
        if ahead.abs() >= LOGGED {
            self.log(ahead);
        }
    }

    fn log(&self, ahead: SignedDuration) {
        let now = self.clock.steady();
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|last| now.duration_since(last) >= BETWEEN_LINES) {
            *logged = Some(now);
            tracing::warn!(
                skew_seconds = ahead.as_secs(),
                difference = describe(ahead),
                "this node's clock is wrong; counting sessions by AWS's"
            );
        }
    }
}

/// How far AWS's clock is ahead, if that is not the answer's way.
fn measured(date: Timestamp, now: Timestamp) -> SignedDuration {
    let ahead = date.duration_since(now);
    if ahead.abs() < TOLERATED { SignedDuration::ZERO } else { ahead }
}

/// The difference in words.
#[must_use]
pub fn describe(ahead: SignedDuration) -> String {
    let (seconds, word) =
        (ahead.abs().as_secs(), if ahead.is_positive() { "behind" } else { "ahead of" });
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let length = match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        _ => format!("{hours} h {minutes} min"),
    };
    format!("this node's clock is {length} {word} AWS's")
}

impl TimeSource for AwsClock {
    /// For signatures, which AWS rejects if their time is not its own.
    fn now(&self) -> SystemTime {
        Self::now(self).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;

    /// An AWS clock on a node whose clock is this many seconds ahead of the test's.
    fn node_ahead_by(seconds: i64) -> AwsClock {
        AwsClock::new(Clock::new(move || at(seconds)), Gauge::default())
    }

    /// The header `Date` at this second of the test.
    fn date(second: i64) -> String {
        rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at(second)).unwrap()
    }

    #[test]
    fn the_nodes_clock_may_be_behind_or_ahead() {
        for seconds in [-3 * 3600, 2 * 3600, -11, 11] {
            let clock = node_ahead_by(seconds);
            assert_eq!(clock.now(), at(seconds), "nothing is known yet");
            clock.observe(&date(0));
            assert_eq!(clock.now(), at(0));
            assert_eq!(clock.by_the_node(at(3600)), at(3600 + seconds));
            assert_eq!(clock.gauge.get(), -seconds);
            clock.observe(&date(seconds));
            assert_eq!(clock.now(), at(seconds), "the clock was set");
        }
    }

    #[test]
    fn a_small_difference_and_another_text_change_nothing() {
        for text in [date(9), date(-9), String::new(), "Sun, 99 Nov 2026".to_owned()] {
            let clock = node_ahead_by(0);
            clock.observe(&text);
            assert_eq!(clock.now(), at(0), "{text}");
        }
    }

    #[test]
    fn the_difference_is_said_from_the_nodes_side() {
        let text = |seconds| describe(SignedDuration::from_secs(seconds));
        assert_eq!(text(3 * 3600), "this node's clock is 3 h 0 min behind AWS's");
        assert_eq!(text(-7260), "this node's clock is 2 h 1 min ahead of AWS's");
        assert_eq!(text(-61), "this node's clock is 1 min ahead of AWS's");
        assert_eq!(text(59), "this node's clock is 59 s behind AWS's");
    }
}
