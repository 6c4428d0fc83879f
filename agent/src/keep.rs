//! The credential store: one fetch for all who wait, kept, and refreshed ahead of need.
//!
//! ```text
//!   request ──► Entry::step ──► serve │ refuse │ wait ◄──────────────┐
//!                     └───────► lead ──► flight (its own task) ──► Entry::land
//!   tender (a task for each entry) ──► Entry::look ──► flight ───────┘
//! ```
//!
//! What to do is decided in `entry`, which knows no I/O; this file and `tend` do it.

mod entry;
mod flight;
mod hold;
mod key;
mod pace;
mod schedule;
mod tend;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use moka::{policy::EvictionPolicy, sync::Cache};
use podrole_identity::ServiceAccountRef;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    clock::Clock,
    exchange::{Exchange, ExchangeError, Fault},
    metrics::Metrics,
    node::Liveness,
};
use entry::{Flight, State, Step};
use flight::landing;
pub(crate) use key::Held;
pub use key::{Got, Kept, Key, Presented, TokenHash};
use pace::Pace;
pub use schedule::refresh_at;

/// How long something newer is waited for when something is there.
const QUICK: Duration = Duration::from_millis(500);
/// Refreshes at once; who waits in person is not counted.
const REFRESHES_AT_ONCE: usize = 8;

/// What a fetch came to, and with whose token.
pub(crate) type Landed = (Result<Arc<Kept>, Arc<ExchangeError>>, TokenHash);

/// The store. Clones are the same store.
#[derive(Clone)]
pub struct Keep(Arc<Inner>);

struct Inner {
    exchange: Arc<dyn Exchange>,
    liveness: Liveness,
    clock: Clock,
    metrics: Metrics,
    entries: Cache<Key, Arc<Entry>>,
    refreshes: Semaphore,
    pace: Pace,
}

#[derive(Default)]
struct Entry(Mutex<State>);

impl Entry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keep {
    /// An empty store of at most `max_entries` sessions; the least recently used goes first.
    #[must_use]
    pub fn new(
        exchange: Arc<dyn Exchange>,
        liveness: Liveness,
        clock: Clock,
        metrics: Metrics,
        max_entries: u64,
    ) -> Self {
        let entries = Cache::builder()
            .max_capacity(max_entries)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self(Arc::new(Inner {
            exchange,
            liveness,
            clock,
            metrics,
            entries,
            refreshes: Semaphore::new(REFRESHES_AT_ONCE),
            pace: Pace::default(),
        }))
    }

    /// The credentials under `key`: from memory, or from the one fetch in flight, or fetched with
    /// this token. The fetch goes on though the caller hangs up.
    ///
    /// # Errors
    /// What the exchange said to this token, or to the key as a whole.
    pub async fn get(
        &self,
        key: &Key,
        token: Presented<'_>,
    ) -> Result<(Arc<Kept>, Got), Arc<ExchangeError>> {
        // Where no token is sent, none is held.
        let sent = if self.0.exchange.sends_the_token() { token.token } else { "" };
        let token = Presented { token: sent, ..token };
        let entry = self.entry(key);
        let mut got = Got::Hit;
        loop {
            let step = entry.lock().step(&token, self.0.clock.now());
            let flight = match step {
                Step::Serve(kept) => {
                    self.0.metrics.hit(got == Got::Hit);
                    return Ok((kept, got));
                }
                Step::ServeOrWait(kept, take_off, flight) => {
                    if let Some(take_off) = take_off {
                        self.take_off(key, &entry, take_off);
                    }
                    self.0.metrics.hit(got == Got::Hit);
                    return Ok((self.fresher(kept, flight).await, got));
                }
                Step::Refuse(error) => return Err(error),
                Step::Wait(flight) => flight,
                Step::Lead(take_off, flight) => {
                    self.take_off(key, &entry, take_off);
                    flight
                }
            };
            got = Got::Fetched;
            let (result, hash) = landing(flight).await?;
            match result {
                // Another's token was bad; that says nothing of ours.
                Err(error) if error.fault == Fault::Token && hash != token.hash => {}
                result => {
                    self.0.metrics.hit(false);
                    return result.map(|kept| (kept, got));
                }
            }
        }
    }

    /// What is kept, unless it is near its end and something newer comes quickly: SDKs ask again
    /// and again for credentials of less than 15 minutes.
    async fn fresher(&self, kept: Arc<Kept>, flight: Flight) -> Arc<Kept> {
        if kept.expires.duration_since(self.0.clock.now()) > schedule::SHORT {
            return kept;
        }
        match timeout(QUICK, landing(flight)).await {
            Ok(Ok((Ok(newer), _))) => newer,
            _ => kept,
        }
    }

    /// How many sessions are held, as far as the bookkeeping has got.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.entries.run_pending_tasks();
        self.0.entries.entry_count()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pod is gone: it is no reason to keep anything any more.
    pub fn pod_gone(&self, uid: &str) {
        for (key, entry) in &self.0.entries {
            if entry.lock().leave(uid) {
                self.0.entries.invalidate(&*key);
            }
        }
    }

    /// When the next sessions end, by ServiceAccount; at most `most`, the soonest first.
    #[must_use]
    pub fn ends(&self, most: usize) -> Vec<(ServiceAccountRef, Timestamp)> {
        let entries = self.0.entries.iter();
        let mut ends: Vec<_> = entries
            .filter_map(|(key, entry)| Some((entry.lock().ends()?, key.service_account.clone())))
            .collect();
        ends.sort_unstable();
        let mut named = HashSet::new();
        ends.retain(|(_, account)| named.insert(account.clone()));
        ends.truncate(most);
        ends.into_iter().map(|(end, account)| (account, end)).collect()
    }

    fn entry(&self, key: &Key) -> Arc<Entry> {
        let known = self.0.entries.get(key);
        known.unwrap_or_else(|| self.0.entries.get_with(key.clone(), Arc::default))
    }
}

#[cfg(test)]
mod tests;
