//! One session in the cache: its state behind a lock, and what can be read without it.

use std::sync::{
    Arc, PoisonError, Weak,
    atomic::{
        AtomicI64, AtomicU64, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use jiff::Timestamp;

use super::{credentials::CachedCredentials, key::CacheKey, state::State};
use crate::{
    lru::LruValue,
    sync::{Mutex, MutexGuard},
};

/// A session.
pub(crate) struct Entry {
    pub(super) key: Arc<CacheKey>,
    state: Mutex<State>,
    /// How often the state changed, apart from its users.
    changes: AtomicU64,
    /// In milliseconds.
    last_used: AtomicI64,
    bytes: AtomicUsize,
}

/// Credentials that may be served without locking their entry, until a time or until the entry
/// changes. It keeps neither of them in memory.
pub(crate) struct EntrySnapshot {
    entry: Weak<Entry>,
    credentials: Weak<CachedCredentials>,
    changes: u64,
    until: Timestamp,
}

impl Entry {
    pub(super) fn new(key: &CacheKey, now: Timestamp) -> Arc<Self> {
        let key = Arc::new(key.clone());
        let bytes = size_of::<Self>() + key.bytes();
        Arc::new(Self {
            key,
            state: Mutex::default(),
            changes: AtomicU64::new(0),
            last_used: AtomicI64::new(now.as_millisecond()),
            bytes: AtomicUsize::new(bytes),
        })
    }

    /// Locks the state, to read it and to serve from it. Changes go through [`Self::change`].
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, which outdates all snapshots.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.bytes.store(size_of::<Self>() + self.key.bytes() + state.bytes(), Relaxed);
        self.changes.fetch_add(1, Release);
        result
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Acquire)
    }

    pub(super) fn touch(&self, now: Timestamp) {
        self.last_used.store(now.as_millisecond(), Relaxed);
    }
}

impl LruValue for Arc<Entry> {
    fn last_used(&self) -> i64 {
        self.last_used.load(Relaxed)
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    fn is_busy(&self) -> bool {
        // Without its entry, a second fetch for the key could begin.
        self.lock().is_fetching()
    }

    fn on_evict(&self) {
        // What left the cache is no longer refreshed, so no snapshot may serve it.
        self.change(State::evict);
    }

    fn evict_idle(&self) -> bool {
        // Under one lock: a request that holds the entry could begin a fetch in between, and the next request
        // another one for the same key, in a new entry.
        self.change(|state| {
            let idle = !state.is_fetching();
            if idle {
                state.evict();
            }
            idle
        })
    }
}

impl EntrySnapshot {
    /// A snapshot of `entry`, which had changed `changes` times before `credentials` were read.
    pub(super) fn new(
        entry: &Arc<Entry>,
        credentials: &Arc<CachedCredentials>,
        changes: u64,
        until: Timestamp,
    ) -> Self {
        let (entry, credentials) = (Arc::downgrade(entry), Arc::downgrade(credentials));
        Self { entry, credentials, changes, until }
    }

    /// The credentials, unless the snapshot is outdated.
    pub(crate) fn credentials(&self, now: Timestamp) -> Option<Arc<CachedCredentials>> {
        let entry = self.entry.upgrade()?;
        if now >= self.until || entry.changes() != self.changes {
            return None;
        }
        entry.touch(now);
        self.credentials.upgrade().filter(|it| it.is_of_this_clock(now))
    }
}
