//! The only place that reads the wall clock. Decisions get the time as an argument.

use jiff::Timestamp;

/// The current wall-clock time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
