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
mod schedule;
mod tend;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use jiff::Timestamp;
use moka::{policy::EvictionPolicy, sync::Cache};
use podrole_identity::{Exchange as Kind, ServiceAccountRef};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    clock::Clock,
    exchange::{Exchange, ExchangeError, Fault, SessionRequest},
    metrics::Metrics,
    node::Liveness,
    secret::Secret,
    token::Caller,
};
use entry::{Flight, State, Step};
use flight::landing;
pub use schedule::refresh_at;

/// The SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// How long something newer is waited for when something is there.
const QUICK: Duration = Duration::from_millis(500);
/// Refreshes at once; who waits in person is not counted.
const REFRESHES_AT_ONCE: usize = 8;

/// All that makes one session another than the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// How credentials are got.
    pub exchange: Kind,
    /// From where: endpoint and region.
    pub place: Arc<str>,
    /// The role and how it is taken.
    pub session: SessionRequest,
    /// Whose it is.
    pub service_account: ServiceAccountRef,
    /// The ServiceAccount's UID: one that was made again inherits nothing.
    pub service_account_uid: String,
    /// Whom the token is for, sorted.
    pub audiences: Vec<String>,
    /// The pod's UID, where pods have sessions of their own.
    pub pod_uid: Option<String>,
}

/// A verified token that comes with a request.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The token's text.
    pub token: &'a str,
    /// Its SHA-256.
    pub hash: TokenHash,
    /// Whom it speaks for.
    pub caller: &'a Arc<Caller>,
}

/// A token that is kept to refresh with.
#[derive(Clone)]
pub(crate) struct Held {
    token: Secret,
    hash: TokenHash,
    caller: Arc<Caller>,
}

/// Credentials as they are served: the whole answer, ready to send, wiped at the end.
pub struct Kept {
    /// The answer's body.
    pub body: Bytes,
    /// When the credentials were got.
    pub issued: Timestamp,
    /// When they end.
    pub expires: Timestamp,
}

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
}

#[derive(Default)]
struct Entry(Mutex<State>);

impl Entry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presented<'_> {
    fn hold(&self) -> Held {
        Held {
            token: Secret::new(self.token.to_owned()),
            hash: self.hash,
            caller: Arc::clone(self.caller),
        }
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
    ) -> Result<Arc<Kept>, Arc<ExchangeError>> {
        let entry = self.entry(key);
        let mut waited = false;
        loop {
            let step = entry.lock().step(&token, self.0.clock.now());
            let flight = match step {
                Step::Serve(kept) => {
                    self.0.metrics.hit(!waited);
                    return Ok(kept);
                }
                Step::ServeOrWait(kept, take_off, flight) => {
                    if let Some(take_off) = take_off {
                        self.take_off(key, &entry, take_off);
                    }
                    self.0.metrics.hit(!waited);
                    return Ok(self.fresher(kept, flight).await);
                }
                Step::Refuse(error) => return Err(error),
                Step::Wait(flight) => flight,
                Step::Lead(take_off, flight) => {
                    self.take_off(key, &entry, take_off);
                    flight
                }
            };
            waited = true;
            let (result, hash) = landing(flight).await?;
            match result {
                // Another's token was bad; that says nothing of ours.
                Err(error) if error.fault == Fault::Token && hash != token.hash => {}
                result => {
                    self.0.metrics.hit(false);
                    return result;
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

    fn entry(&self, key: &Key) -> Arc<Entry> {
        let known = self.0.entries.get(key);
        known.unwrap_or_else(|| self.0.entries.get_with(key.clone(), Arc::default))
    }
}

#[cfg(test)]
mod tests;
