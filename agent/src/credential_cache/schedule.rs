//! When credentials are refreshed, and how long errors are remembered. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::exchange::ExchangeError;

/// Credentials that expire sooner than this are not served: the pod could hardly use them.
pub(super) const LAST_SECONDS: SignedDuration = SignedDuration::from_secs(10);
/// SDKs request credentials at each use if those they have expire sooner than this.
pub(super) const SHORT: SignedDuration = SignedDuration::from_mins(15);
/// When a refresh that AWS refused is tried once more before the credentials are withdrawn.
pub(super) const SECOND_OPINION: SignedDuration = SignedDuration::from_secs(30);

/// When to refresh: after 36 % of the lifetime (`jitter` 0) to 48 % (`jitter` 1). So sessions of an
/// hour outlive an STS outage of 30 minutes, and those that were fetched together are refreshed at
/// different times.
#[must_use]
pub fn refresh_at(issued: Timestamp, expires: Timestamp, jitter: f64) -> Timestamp {
    let life = expires.duration_since(issued).as_secs_f64().max(0.0);
    let due = life * (0.36 + 0.12 * jitter.clamp(0.0, 1.0));
    let due = SignedDuration::try_from_secs_f64(due).unwrap_or(SignedDuration::ZERO);
    issued.saturating_add(due).unwrap_or(expires)
}

/// Whether SDKs treat the session as about to expire from its start.
pub(super) fn is_short(issued: Timestamp, expires: Timestamp) -> bool {
    expires.duration_since(issued) <= SHORT
}

/// Rejects credentials that are about to expire.
pub(super) fn check_lifetime(expires: Timestamp, now: Timestamp) -> Result<(), ExchangeError> {
    let lasts = expires.duration_since(now) > LAST_SECONDS;
    let error =
        || ExchangeError::transient("TooShort", "AWS returned credentials that expire within 10 s");
    lasts.then_some(()).ok_or_else(error)
}

/// How long an error is remembered: 2 s, doubling up to 60 s.
pub(super) fn negative_ttl(before: Option<SignedDuration>) -> SignedDuration {
    doubled(before, 2, 60)
}

/// How long an error is remembered that may pass by itself: 50 ms, doubling up to 400 ms, and 400 ms
/// at once if AWS throttles. Requests that are held try again after pauses like these, so that all
/// of a session share one attempt.
pub(super) fn transient_ttl(before: Option<SignedDuration>, throttled: bool) -> SignedDuration {
    const MOST: i64 = 400;
    let doubled = before.map_or(50, |before| before.as_millis() * 2);
    let millis = if throttled { MOST } else { i64::try_from(doubled).unwrap_or(MOST).min(MOST) };
    SignedDuration::from_millis(millis)
}

/// How long a refresh waits after a transient error: 5 s, doubling up to 60 s.
pub(super) fn retry_after(before: Option<SignedDuration>) -> SignedDuration {
    doubled(before, 5, 60)
}

/// How long refreshes pause after AWS throttled a call: 2 s, doubling up to 30 s.
pub(super) fn pause_after_throttling(before: Option<SignedDuration>) -> SignedDuration {
    doubled(before, 2, 30)
}

fn doubled(before: Option<SignedDuration>, first: i64, most: i64) -> SignedDuration {
    let seconds = before.map_or(first, |before| before.as_secs() * 2);
    SignedDuration::from_secs(seconds.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transient_errors_are_remembered_for_less_than_a_held_request_waits() {
        let millis = |before: Option<i64>, throttled| {
            transient_ttl(before.map(SignedDuration::from_millis), throttled).as_millis()
        };
        assert_eq!([None, Some(50), Some(400)].map(|it| millis(it, false)), [50, 100, 400]);
        assert_eq!(millis(None, true), 400);
    }

    #[test]
    fn a_refresh_is_due_at_36_to_48_percent() {
        let issued = Timestamp::from_second(1_000_000).unwrap();
        let expires = Timestamp::from_second(1_003_600).unwrap();
        let due = |jitter| refresh_at(issued, expires, jitter).as_second() - 1_000_000;
        assert_eq!((due(0.0), due(0.5), due(1.0)), (1296, 1512, 1728));
        assert_eq!((due(-3.0), due(7.0)), (1296, 1728));
        assert_eq!(refresh_at(expires, issued, 0.5), expires);
    }

    #[test]
    fn a_session_of_15_minutes_is_short() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(is_short(at(0), at(900)) && !is_short(at(0), at(901)));
    }

    #[test]
    fn errors_are_remembered_longer_each_time() {
        let mut ttl = None;
        let mut seconds = Vec::new();
        for _ in 0..7 {
            ttl = Some(negative_ttl(ttl));
            seconds.extend(ttl.map(|ttl| ttl.as_secs()));
        }
        assert_eq!(seconds, [2, 4, 8, 16, 32, 60, 60]);
    }
}
