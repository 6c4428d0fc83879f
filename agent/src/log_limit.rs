//! Limits a log line to one a minute for each pod or address: an attacker, or a pod in a loop,
//! causes thousands of the same event.

use std::{
    borrow::Borrow,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::lru::{LruCache, LruValue};

/// The time between two lines of the same pod or address.
const BETWEEN_LINES: SignedDuration = SignedDuration::from_secs(60);
/// How many pods or addresses are remembered. One that is forgotten may log again at once.
const MAX_REMEMBERED: usize = 4096;

/// Counts events by `K`, and tells when the next line is due.
pub(crate) struct LogLimit<K>(LruCache<K, Arc<Events>>);

struct Events(Mutex<Counted>);

#[derive(Clone, Copy)]
struct Counted {
    /// When the last line was written.
    line: Option<Timestamp>,
    last: Timestamp,
    /// Events since the last line.
    count: u64,
}

impl LruValue for Arc<Events> {
    fn last_used(&self) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.as_millisecond()
    }
}

impl<K: Clone + Eq + Hash> LogLimit<K> {
    pub(crate) fn new() -> Self {
        Self(LruCache::with_entries(MAX_REMEMBERED))
    }

    /// Counts an event. If a line is due, returns the number of events since the last one, this one
    /// included.
    pub(crate) fn count<Q>(&self, key: &Q, now: Timestamp) -> Option<u64>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let events = self.0.get(key).unwrap_or_else(|| {
            let none = Counted { line: None, last: now, count: 0 };
            self.0.get_or_insert_with(&key.to_owned(), || Arc::new(Events(Mutex::new(none))))
        });
        let mut counted = events.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.last = now;
        counted.count += 1;
        // A clock that was set back must not silence the log until it is there again.
        let due = counted.line.is_none_or(|line| now.duration_since(line).abs() >= BETWEEN_LINES);
        due.then(|| {
            counted.line = Some(now);
            std::mem::take(&mut counted.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::at;

    #[test]
    fn a_line_a_minute_has_the_number_of_events_since_the_last_one() {
        let limit = LogLimit::<String>::new();
        assert_eq!(limit.count("pod", at(0)), Some(1));
        assert_eq!(limit.count("pod", at(1)), None);
        assert_eq!(limit.count("other", at(1)), Some(1));
        assert_eq!(limit.count("pod", at(60)), Some(2));
        assert_eq!(limit.count("pod", at(61)), None);
        assert_eq!(limit.count("pod", at(-3600)), Some(2), "the clock was set back");
    }
}
