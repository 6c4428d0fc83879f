//! Which connections are idle, so that the ones idle longest can be closed when the connection
//! limit is reached. Otherwise idle keep-alive connections would keep new clients out.
//!
//! A request costs two atomic stores and a read of the clock. The list is only locked when a
//! connection opens or closes, and searched when the limit is reached.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{sync::Notify, time::Instant};

/// The connection has a request in flight and must not be closed.
const BUSY: u64 = u64::MAX;
/// The connection was asked to close, and is not asked again.
const CLOSING: u64 = u64::MAX - 1;
/// How many connections are closed at once. When one client arrives at the limit, more are usually
/// about to, and each search locks the list.
const MAX_CLOSED_AT_ONCE: usize = 16;
/// Milliseconds that a connection must be idle before it can be closed. A new client is about to
/// send its request, on a busy machine a moment later.
const MIN_IDLE: u64 = 1000;

/// The connections of a listener. Clones share one list.
#[derive(Clone)]
pub(super) struct IdleConnections(Arc<Inner>);

struct Inner {
    start: Instant,
    next_id: AtomicU64,
    connections: Mutex<HashMap<u64, Arc<ConnectionState>>>,
}

struct ConnectionState {
    /// When it became idle, in milliseconds since `Inner::start`; or [`BUSY`] or [`CLOSING`].
    idle_since: AtomicU64,
    close: Notify,
}

/// A connection in the list. Dropping it removes the connection.
pub(super) struct TrackedConnection {
    all: IdleConnections,
    id: u64,
    state: Arc<ConnectionState>,
}

/// A request in flight. The connection is busy until this is dropped.
pub(super) struct ActiveRequest(Arc<TrackedConnection>);

impl IdleConnections {
    pub(super) fn new() -> Self {
        let (next_id, connections) = (AtomicU64::default(), Mutex::default());
        Self(Arc::new(Inner { start: Instant::now(), next_id, connections }))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(0)
    }

    /// Adds a connection, which is idle at first.
    pub(super) fn track(&self) -> TrackedConnection {
        let id = self.0.next_id.fetch_add(1, Relaxed);
        let idle_since = AtomicU64::new(self.now());
        let state = Arc::new(ConnectionState { idle_since, close: Notify::new() });
        self.lock().insert(id, Arc::clone(&state));
        TrackedConnection { all: self.clone(), id, state }
    }

    /// Asks the connections that have been idle longest to close, if any is idle.
    pub(super) fn close_longest_idle(&self) {
        let (latest, connections) = (self.now().saturating_sub(MIN_IDLE), self.lock());
        let since = |state: &Arc<ConnectionState>| state.idle_since.load(Relaxed);
        let idle = connections.values().map(|state| (since(state), state));
        let mut idle: Vec<_> = idle.filter(|(since, _)| *since < latest).collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        // Below 128 connections only one: a batch would be a large share of them.
        let count = (connections.len() / 64).clamp(1, MAX_CLOSED_AT_ONCE);
        for (since, state) in idle.into_iter().take(count) {
            // The exchange fails if a request has come since the search.
            let asked = state.idle_since.compare_exchange(since, CLOSING, Relaxed, Relaxed);
            if asked.is_ok() {
                state.close.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<ConnectionState>>> {
        self.0.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TrackedConnection {
    /// Marks the connection as busy until the returned guard is dropped.
    pub(super) fn begin_request(self: &Arc<Self>) -> ActiveRequest {
        self.state.idle_since.store(BUSY, Relaxed);
        ActiveRequest(Arc::clone(self))
    }

    /// Completes when the connection is idle and should close. A request that arrives after the
    /// notification overwrites [`CLOSING`], and is served.
    pub(super) async fn should_close(&self) {
        loop {
            self.state.close.notified().await;
            if self.state.idle_since.load(Relaxed) == CLOSING {
                return;
            }
        }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.state.idle_since.store(self.0.all.now(), Relaxed);
    }
}

impl Drop for TrackedConnection {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}
