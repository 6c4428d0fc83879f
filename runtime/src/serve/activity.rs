//! What a connection is doing. Its requests record it without a lock, because the list of
//! connections needs it only when one must be closed.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use tokio::time::Instant;

/// No request was answered yet.
const NEVER: u64 = u64::MAX;

/// The requests of one connection.
pub(super) struct Activity {
    accepted: Instant,
    /// How many whole requests are being worked on.
    working: AtomicU32,
    /// When a request last began or ended, in nanoseconds since the connection was accepted; or
    /// [`NEVER`].
    last: AtomicU64,
    /// Whether the list has yet to learn of a change.
    unfiled: AtomicBool,
}

/// When the list of connections must learn of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    /// At once: a connection without an answer is closed before others.
    Now,
    /// Before it chooses a connection to close.
    Later,
    /// It knows already that there is something to learn.
    Known,
}

impl Activity {
    pub(super) fn new(accepted: Instant) -> Self {
        Self {
            accepted,
            working: AtomicU32::new(0),
            last: AtomicU64::new(NEVER),
            unfiled: AtomicBool::new(false),
        }
    }

    /// A request has begun; `whole` if nothing of it is missing.
    pub(super) fn begin(&self, now: Instant, whole: bool) -> File {
        if whole {
            self.working.fetch_add(1, SeqCst);
        }
        let answered = self.is_answered();
        if answered {
            self.touch(now);
        }
        self.file(answered)
    }

    /// The rest of a request has arrived.
    pub(super) fn received(&self) -> File {
        self.working.fetch_add(1, SeqCst);
        self.file(self.is_answered())
    }

    /// A request has ended; `whole` if all of it had arrived.
    pub(super) fn end(&self, now: Instant, whole: bool, answered: bool) -> File {
        if whole {
            self.working.fetch_sub(1, SeqCst);
        }
        let before = self.is_answered();
        if before || answered {
            self.touch(now);
        }
        self.file(before)
    }

    /// How many whole requests are being worked on, and when one last began or ended if one was
    /// answered. The list files both.
    pub(super) fn filed(&self) -> (u32, Option<Instant>) {
        self.unfiled.store(false, SeqCst);
        let last = self.last.load(SeqCst);
        let last = (last != NEVER).then(|| self.accepted + Duration::from_nanos(last));
        (self.working.load(SeqCst), last)
    }

    fn is_answered(&self) -> bool {
        self.last.load(SeqCst) != NEVER
    }

    fn touch(&self, now: Instant) {
        let since = now.saturating_duration_since(self.accepted).as_nanos();
        self.last.store(u64::try_from(since).unwrap_or(NEVER - 1), SeqCst);
    }

    fn file(&self, answered_before: bool) -> File {
        match answered_before {
            false => File::Now,
            true if self.unfiled.load(SeqCst) || self.unfiled.swap(true, SeqCst) => File::Known,
            true => File::Later,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn until_an_answer_each_change_is_filed_at_once() {
        let start = Instant::now();
        let activity = Activity::new(start);
        assert_eq!(activity.begin(start, false), File::Now);
        assert_eq!(activity.filed(), (0, None), "a part of a request is no work");
        assert_eq!(activity.received(), File::Now);
        assert_eq!(activity.filed(), (1, None));
        assert_eq!(activity.end(start + SECOND, true, false), File::Now);
        assert_eq!(activity.filed(), (0, None), "an answer that every client gets does not count");
        activity.begin(start + SECOND, true);
        assert_eq!(activity.end(start + 2 * SECOND, true, true), File::Now);
        assert_eq!(activity.filed(), (0, Some(start + 2 * SECOND)));
    }

    #[test]
    fn later_the_first_change_is_noted_and_others_wait_for_the_list() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.begin(start, true);
        activity.end(start, true, true);
        assert_eq!(activity.begin(start + SECOND, true), File::Later);
        assert_eq!(activity.begin(start + SECOND, true), File::Known);
        assert_eq!(activity.filed(), (2, Some(start + SECOND)));
        assert_eq!(activity.end(start + 2 * SECOND, true, false), File::Later);
        assert_eq!(activity.end(start + 3 * SECOND, true, true), File::Known);
        assert_eq!(activity.filed(), (0, Some(start + 3 * SECOND)));
    }
}
