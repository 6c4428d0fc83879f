//! One session's place in the store: its state behind a lock, and what can be seen without one.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{
        AtomicI64, AtomicU64, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use jiff::Timestamp;

use super::{Kept, Key, entry::State};
use crate::bounded::Aged;

/// One session.
pub(crate) struct Slot {
    pub(super) key: Arc<Key>,
    state: Mutex<State>,
    /// How often something else changed than who asked.
    changes: AtomicU64,
    /// When it was asked for last, in milliseconds.
    asked: AtomicI64,
    bytes: AtomicUsize,
}

/// Credentials that may be served again without a look at their session's state: until their
/// time is over, or something changes. Neither is kept alive by this.
pub(crate) struct Again {
    slot: Weak<Slot>,
    kept: Weak<Kept>,
    changes: u64,
    until: Timestamp,
}

impl Slot {
    pub(super) fn new(key: &Key, now: Timestamp) -> Arc<Self> {
        let key = Arc::new(key.clone());
        let bytes = size_of::<Self>() + key.bytes();
        Arc::new(Self {
            key,
            state: Mutex::default(),
            changes: AtomicU64::new(0),
            asked: AtomicI64::new(now.as_millisecond()),
            bytes: AtomicUsize::new(bytes),
        })
    }

    /// The state, to look at and to serve from.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state: nobody is served from what was seen before.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        self.bytes.store(size_of::<Self>() + self.key.bytes() + state.bytes(), Relaxed);
        self.changes.fetch_add(1, Release);
        changed
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Acquire)
    }

    pub(super) fn touch(&self, now: Timestamp) {
        self.asked.store(now.as_millisecond(), Relaxed);
    }
}

impl Aged for Arc<Slot> {
    fn asked(&self) -> i64 {
        self.asked.load(Relaxed)
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    fn leaves(&self) {
        self.changes.fetch_add(1, Release);
    }
}

impl Again {
    /// `kept` of `slot`, which had changed so often when it was looked at.
    pub(super) fn new(slot: &Arc<Slot>, kept: &Arc<Kept>, changes: u64, until: Timestamp) -> Self {
        Self { slot: Arc::downgrade(slot), kept: Arc::downgrade(kept), changes, until }
    }

    /// The credentials, if that is so still.
    pub(crate) fn kept(&self, now: Timestamp) -> Option<Arc<Kept>> {
        let slot = self.slot.upgrade()?;
        if now >= self.until || slot.changes() != self.changes {
            return None;
        }
        slot.touch(now);
        self.kept.upgrade()
    }
}
