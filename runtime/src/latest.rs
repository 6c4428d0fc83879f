//! The newest of something that changes while the daemon runs.

use std::sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

/// The newest value, shared between one writer and many readers; none until the first. Clones are
/// the same value.
#[derive(Debug)]
pub struct Latest<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    current: ArcSwapOption<T>,
    changes: AtomicU64,
    changed: watch::Sender<()>,
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        let (current, changes) = (ArcSwapOption::empty(), AtomicU64::new(0));
        Self(Arc::new(Inner { current, changes, changed: watch::Sender::default() }))
    }
}

impl<T> From<T> for Latest<T> {
    fn from(value: T) -> Self {
        let latest = Self::default();
        latest.set(value);
        latest
    }
}

impl<T> Latest<T> {
    /// The newest value; `None` until there has been any.
    #[must_use]
    pub fn current(&self) -> Option<Arc<T>> {
        self.0.current.load_full()
    }

    /// How often the value was replaced. A reader that took this number before the value knows
    /// from it whether the value may have changed since.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Acquire)
    }

    /// Resolves at each change from now on.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Replaces the value.
    pub fn set(&self, value: T) {
        self.0.current.store(Some(Arc::new(value)));
        self.0.changes.fetch_add(1, Release);
        self.0.changed.send_replace(());
    }
}
