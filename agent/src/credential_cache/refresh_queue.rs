//! Which entry is checked when.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::entry::Entry;

/// When an entry is checked next.
pub(super) struct Due {
    at: Instant,
    entry: Weak<Entry>,
}

impl Due {
    pub(super) fn after(wait: Duration, entry: &Arc<Entry>) -> Self {
        Self { at: Instant::now() + wait, entry: Arc::downgrade(entry) }
    }

    /// The entry, unless the cache removed it.
    pub(super) fn entry(&self) -> Option<Arc<Entry>> {
        self.entry.upgrade()
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// Calls `check` for each entry whose time has come, until the sender is dropped. An entry that the
/// cache removed in the meantime is skipped.
pub(super) async fn run(mut dues: mpsc::UnboundedReceiver<Due>, check: impl Fn(Arc<Entry>)) {
    let mut queue = BinaryHeap::new();
    loop {
        let next = queue.peek().map(|Reverse(Due { at, .. })| *at);
        tokio::select! {
            due = dues.recv() => match due {
                Some(due) => queue.push(Reverse(due)),
                None => return,
            },
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                while let Some(due) = pop_due(&mut queue) {
                    if let Some(entry) = due.entry() {
                        check(entry);
                    }
                }
            }
        }
    }
}

/// The next entry whose time has come.
fn pop_due(queue: &mut BinaryHeap<Reverse<Due>>) -> Option<Due> {
    let due = queue.peek().is_some_and(|Reverse(due)| due.at <= Instant::now());
    let Reverse(due) = due.then(|| queue.pop()).flatten()?;
    Some(due)
}
