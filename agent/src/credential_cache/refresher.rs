//! One task that refreshes all entries in time and removes those that expired unused.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    CacheInner, CredentialCache, entry::Entry, in_flight::join, request::RefreshToken,
    state::RefreshStep,
};
use crate::node::NodeError;

/// How often each entry is checked at least: a request changes when its refresh is due, and the
/// wall clock may be set.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Before an entry without a valid token is checked again. A request with one refreshes it sooner.
const NO_TOKEN: SignedDuration = SignedDuration::from_secs(30);
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// When an entry is checked next.
pub(super) struct Due {
    at: Instant,
    entry: Weak<Entry>,
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

/// Runs until the cache is dropped.
pub(super) async fn run(cache: Weak<CacheInner>, mut dues: mpsc::UnboundedReceiver<Due>) {
    let mut queue = BinaryHeap::new();
    loop {
        let next = queue.peek().map(|Reverse(Due { at, .. })| *at);
        tokio::select! {
            due = dues.recv() => match due {
                Some(due) => queue.push(Reverse(due)),
                None => return,
            },
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                let Some(cache) = cache.upgrade().map(CredentialCache) else {
                    return;
                };
                while let Some(due) = pop_due(&mut queue) {
                    if let Some(entry) = due.entry.upgrade() {
                        cache.check(entry);
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

impl CredentialCache {
    /// Has the refresher check the entry after `wait`.
    pub(super) fn check_after(&self, entry: &Arc<Entry>, wait: SignedDuration) {
        let wait = Duration::try_from(wait).unwrap_or_default().min(MAX_WAIT);
        let due = Due { at: Instant::now() + wait, entry: Arc::downgrade(entry) };
        // Fails only after the cache was dropped, and the refresher with it.
        let _ = self.0.due.send(due);
    }

    fn check(&self, entry: Arc<Entry>) {
        let step = entry.lock().check(self.0.clock.now());
        match step {
            RefreshStep::CheckAfter(wait) => {
                self.check_after(&entry, wait.max(SignedDuration::from_millis(100)));
            }
            RefreshStep::Refresh(token) => {
                let cache = self.clone();
                tokio::spawn(async move {
                    let wait = cache.refresh(&entry, token).await;
                    cache.check_after(&entry, wait);
                });
            }
            RefreshStep::NoToken => {
                self.0.metrics.refresh("no_token");
                self.check_after(&entry, NO_TOKEN);
            }
            RefreshStep::Stop => {}
            RefreshStep::Remove => self.remove(&entry),
        }
    }

    /// Refreshes once; returns how long to wait before the next check.
    async fn refresh(&self, entry: &Arc<Entry>, token: RefreshToken) -> SignedDuration {
        if let Some(pause) = self.0.throttle.remaining(self.0.clock.now()) {
            self.0.metrics.refresh("throttled");
            return pause;
        }
        let Ok(_permit) = self.0.refreshes.acquire().await else {
            return SOON;
        };
        match self.0.liveness.check(&token.caller, self.0.clock.now()).await {
            Ok(_) => {}
            Err(NodeError::Unknown(_)) => return SOON,
            Err(_) => {
                entry.change(|state| state.drop_token(token.hash()));
                return SOON;
            }
        }
        let started = entry.lock().start_refresh(token);
        if let Some((permit, in_flight)) = started {
            self.0.metrics.refresh("started");
            self.start_fetch(entry, permit);
            // Holds the semaphore's permit until the fetch ends.
            let _ = join(in_flight).await;
        }
        SignedDuration::ZERO
    }
}
