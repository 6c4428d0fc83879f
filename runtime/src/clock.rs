//! The only place that asks what time it is. Decisions get the time as an argument.

use jiff::Timestamp;

/// The wall clock's time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
