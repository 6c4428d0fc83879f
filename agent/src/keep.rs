//! The credential store: one fetch for all who wait, kept, and refreshed ahead of need.
//!
//! ```text
//!   request ──► State::step ──► serve │ refuse │ wait ◄──────────────┐
//!                     └───────► lead ──► flight (its own task) ──► State::land
//!   tender (one task) ──► State::look ──► flight ────────────────────┘
//! ```
//!
//! What to do is decided in `entry`, which knows no I/O; this file and `tend` do it. An answer
//! from memory comes with an `Again`: while that stands, the next one needs no look at all.

mod askers;
mod entry;
mod flight;
mod hold;
mod key;
mod pace;
mod schedule;
mod slot;
mod tend;

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use podrole_identity::ServiceAccountRef;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use crate::{
    bounded::Bounded,
    clock::Clock,
    exchange::{ErrorKind, Exchange, ExchangeError},
    metrics::Metrics,
    node::Liveness,
};
use entry::{Flight, Step};
use flight::landing;
pub(crate) use key::Held;
pub use key::{Bounds, Got, Kept, Key, Presented, Served, TokenHash};
use pace::Pace;
pub use schedule::refresh_at;
pub(crate) use slot::Again;
use slot::Slot;
use tend::Due;

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
    slots: Bounded<Arc<Key>, Arc<Slot>>,
    refreshes: Semaphore,
    pace: Pace,
    /// What the tender is told to look at.
    due: mpsc::UnboundedSender<Due>,
}

impl Keep {
    /// An empty store within these bounds, in a runtime; the least recently asked for goes first.
    #[must_use]
    pub fn new(
        exchange: Arc<dyn Exchange>,
        liveness: Liveness,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
    ) -> Self {
        let (due, dues) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            exchange,
            liveness,
            clock,
            metrics,
            slots: Bounded::new(bounds.entries, bounds.bytes),
            refreshes: Semaphore::new(REFRESHES_AT_ONCE),
            pace: Pace::default(),
            due,
        });
        tokio::spawn(tend::tend(Arc::downgrade(&inner), dues));
        Self(inner)
    }

    /// The credentials under `key`: from memory, or from the one fetch in flight, or fetched with
    /// this token. The fetch goes on though the caller hangs up.
    ///
    /// # Errors
    /// What the exchange said to this token, or to the key as a whole.
    pub async fn get(&self, key: &Key, token: Presented<'_>) -> Result<Served, Arc<ExchangeError>> {
        // Where no token is sent, none is held.
        let sent = if self.0.exchange.sends_the_token() { token.token } else { "" };
        let token = Presented { token: sent, ..token };
        let slot = self.slot(key);
        let mut got = Got::Hit;
        loop {
            let changes = slot.changes();
            let step = slot.lock().step(&token, self.0.clock.now());
            let flight = match step {
                Step::Serve(kept, until) => {
                    self.0.metrics.hit(got == Got::Hit);
                    let again = Again::new(&slot, &kept, changes, until);
                    return Ok(Served { again: Some(again), ..serve(slot, kept, got) });
                }
                Step::ServeOrWait(kept, take_off, flight) => {
                    if let Some(take_off) = take_off {
                        self.take_off(&slot, take_off);
                    }
                    self.0.metrics.hit(got == Got::Hit);
                    let kept = self.fresher(kept, flight).await;
                    return Ok(serve(slot, kept, got));
                }
                Step::Refuse(error) => return Err(error),
                Step::Wait(flight) => flight,
                Step::Lead(take_off, flight) => {
                    self.take_off(&slot, take_off);
                    flight
                }
            };
            got = Got::Fetched;
            let (result, hash) = landing(flight).await?;
            match result {
                // Another's token was bad; that says nothing of ours.
                Err(error) if error.kind == ErrorKind::Token && hash != token.hash => {}
                result => {
                    self.0.metrics.hit(false);
                    return result.map(|kept| serve(slot, kept, got));
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

    /// How many sessions are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.slots.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the sessions weigh that are held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.slots.bytes()
    }

    /// The pod is gone: it is no reason to keep anything any more.
    pub fn pod_gone(&self, uid: &str) {
        for slot in self.0.slots.values() {
            // Only what the pod used changes.
            if slot.lock().knows(uid) && slot.change(|state| state.leave(uid)) {
                self.let_go(&slot);
            }
        }
    }

    /// When the next sessions end, by ServiceAccount; at most `most`, the soonest first.
    #[must_use]
    pub fn ends(&self, most: usize) -> Vec<(ServiceAccountRef, Timestamp)> {
        let slots = self.0.slots.values().into_iter();
        let mut ends: Vec<_> = slots
            .filter_map(|slot| Some((slot.lock().ends()?, slot.key.service_account.clone())))
            .collect();
        ends.sort_unstable();
        let mut named = HashSet::new();
        ends.retain(|(_, account)| named.insert(account.clone()));
        ends.truncate(most);
        ends.into_iter().map(|(end, account)| (account, end)).collect()
    }

    fn slot(&self, key: &Key) -> Arc<Slot> {
        let now = self.0.clock.now();
        if let Some(slot) = self.0.slots.get(key) {
            slot.touch(now);
            return slot;
        }
        let slot = Slot::new(key, now);
        let slot = self.0.slots.get_or_insert_with(&slot.key, || Arc::clone(&slot));
        self.count();
        slot
    }

    /// Takes a session out of the store, if it is the one that is in it.
    fn let_go(&self, slot: &Arc<Slot>) {
        self.0.slots.remove_if(&slot.key, |it| Arc::ptr_eq(it, slot));
        self.count();
    }

    fn count(&self) {
        self.0.metrics.cached(self.0.slots.len(), self.0.slots.bytes());
    }
}

fn serve(slot: Arc<Slot>, kept: Arc<Kept>, got: Got) -> Served {
    Served { kept, got, again: None, slot }
}

#[cfg(test)]
mod tests;
