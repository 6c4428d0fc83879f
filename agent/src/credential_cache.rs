//! Caches credentials: concurrent requests share one fetch, and used entries are refreshed before
//! they expire.
//!
//! ```text
//!   request ──► State::next_step ──► serve │ refuse │ wait ◄──────────┐
//!                     └────────────► lead ──► fetch (its own task) ──► State::record
//!   refresher (one task) ──► State::check ──► fetch ──────────────────┘
//! ```
//!
//! `state` decides what to do and performs no I/O; this file, `fetch` and `refresher` do it. An
//! answer from the cache comes with an `EntrySnapshot`, which the fast path serves from without
//! locking the entry.

mod credentials;
mod entry;
mod fetch;
mod in_flight;
mod key;
mod negative_cache;
mod refresh_queue;
mod refresher;
mod request;
mod schedule;
mod served;
mod state;
mod throttle;
mod users;

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use podrole_identity::ServiceAccountRef;
use tokio::sync::{Semaphore, mpsc};

use crate::{
    clock::Clock,
    exchange::{EndpointError, ErrorKind, ExchangeClient, ExchangeError},
    log_limit::LogLimit,
    lru::LruCache,
    metrics::Metrics,
    node::Liveness,
    sync::{Mutex, spawn, timeout},
};
pub use credentials::CachedCredentials;
use entry::Entry;
pub(crate) use entry::EntrySnapshot;
use in_flight::{InFlight, join};
pub use key::{Bounds, CacheKey};
use refresh_queue::Due;
pub use request::CredentialRequest;
pub use schedule::refresh_at;
pub use served::{Served, ServedFrom};
use state::{RequestStep, State};
use throttle::Throttle;

/// How long a request waits for newer credentials while it has valid ones. Together with what
/// came before, it must stay within a request's 0.9 s.
const NEWER_TIMEOUT: Duration = Duration::from_millis(500);
/// How many refreshes run at once. Fetches that a request waits for are not limited.
const CONCURRENT_REFRESHES: usize = 8;
/// How long a failed call says what keeps the agent from AWS: an error is remembered for no longer.
const OUTAGE: SignedDuration = SignedDuration::from_secs(60);

/// The cache. Clones are the same cache.
#[derive(Clone)]
pub struct CredentialCache(Arc<CacheInner>);

struct CacheInner {
    exchange: Arc<dyn ExchangeClient>,
    liveness: Liveness,
    clock: Clock,
    metrics: Metrics,
    entries: LruCache<Arc<CacheKey>, Arc<Entry>>,
    refreshes: Semaphore,
    throttle: Throttle,
    /// The failed fetches that the log has not shown.
    failures: LogLimit<ServiceAccountRef>,
    /// The last error of an endpoint, until a call to AWS succeeds.
    outage: Mutex<Option<(Timestamp, EndpointError)>>,
    /// The entries that the refresher must check, and when.
    due: mpsc::UnboundedSender<Due>,
}

impl CredentialCache {
    /// An empty cache within these bounds, and its refresher. Must be called in a runtime.
    #[must_use]
    pub fn new(
        exchange: Arc<dyn ExchangeClient>,
        liveness: Liveness,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
    ) -> Self {
        let (cache, dues) = Self::without_refresher(exchange, liveness, clock, metrics, bounds);
        // The task must not keep the cache alive: it ends when the cache drops `due`.
        let weak = Arc::downgrade(&cache.0);
        spawn(refresh_queue::run(dues, move |entry| {
            if let Some(inner) = weak.upgrade() {
                Self(inner).check(entry);
            }
        }));
        cache
    }

    /// An empty cache, and the entries that its refresher must check.
    fn without_refresher(
        exchange: Arc<dyn ExchangeClient>,
        liveness: Liveness,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
    ) -> (Self, mpsc::UnboundedReceiver<Due>) {
        let (due, dues) = mpsc::unbounded_channel();
        let inner = Arc::new(CacheInner {
            exchange,
            liveness,
            clock,
            metrics,
            entries: LruCache::new(bounds.entries, bounds.bytes),
            refreshes: Semaphore::new(CONCURRENT_REFRESHES),
            throttle: Throttle::default(),
            failures: LogLimit::new(),
            outage: Mutex::default(),
            due,
        });
        (Self(inner), dues)
    }

    /// The credentials under `key`: from the cache, from the fetch in flight, or fetched with the
    /// request's token. A fetch continues if the caller hangs up.
    ///
    /// # Errors
    /// What AWS answered to this token, or to the key as a whole.
    pub async fn get(
        &self,
        key: &CacheKey,
        request: CredentialRequest<'_>,
    ) -> Result<Served, Arc<ExchangeError>> {
        // A token that is not sent must not be kept in memory.
        let without_text;
        let request = if self.0.exchange.sends_the_token() {
            request
        } else {
            without_text = request.token.without_text();
            CredentialRequest { token: &without_text, ..request }
        };
        let mut entry = self.entry(key);
        let mut source = ServedFrom::Cache;
        loop {
            let changes = entry.changes();
            let step = entry.lock().next_step(&request, self.0.clock.now());
            let in_flight = match step {
                RequestStep::Serve(credentials, until) => {
                    self.0.metrics.cache_lookup(source == ServedFrom::Cache);
                    let snapshot = EntrySnapshot::new(&entry, &credentials, changes, until);
                    let served = Served::new(entry, credentials, source);
                    return Ok(served.with_snapshot(snapshot));
                }
                RequestStep::ServeOrWait(credentials, permit, in_flight) => {
                    if let Some(permit) = permit {
                        self.start_fetch(&entry, permit);
                    }
                    self.0.metrics.cache_lookup(source == ServedFrom::Cache);
                    let credentials = self.newer_if_quick(credentials, in_flight).await;
                    return Ok(Served::new(entry, credentials, source));
                }
                RequestStep::Refuse(error) => return Err(error),
                RequestStep::Wait(in_flight) => in_flight,
                RequestStep::LookUpAgain => {
                    entry = self.entry(key);
                    continue;
                }
                RequestStep::Lead(permit, in_flight) => {
                    self.start_fetch(&entry, permit);
                    in_flight
                }
            };
            source = ServedFrom::Fetch;
            let (result, token) = join(in_flight).await?;
            match result {
                // AWS rejected the token of the request that led the fetch, not this one's.
                Err(error) if error.kind == ErrorKind::Token && token != *request.token.hash() => {}
                result => {
                    self.0.metrics.cache_lookup(false);
                    return result.map(|credentials| Served::new(entry, credentials, source));
                }
            }
        }
    }

    /// Waits shortly for newer credentials if the cached ones are so near their expiry that SDKs
    /// would ask for others at each use.
    async fn newer_if_quick(
        &self,
        cached: Arc<CachedCredentials>,
        in_flight: InFlight,
    ) -> Arc<CachedCredentials> {
        if cached.expires.duration_since(self.0.clock.now()) > schedule::SHORT {
            return cached;
        }
        match timeout(NEWER_TIMEOUT, join(in_flight)).await {
            Ok(Ok((Ok(newer), _))) => newer,
            _ => cached,
        }
    }

    /// What keeps the agent from AWS, as the last call has shown within the last minute.
    pub(crate) fn outage(&self) -> Option<EndpointError> {
        let outage = self.0.outage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_new = |at: Timestamp| self.0.clock.steady().duration_since(at) < OUTAGE;
        outage.filter(|(at, _)| is_new(*at)).map(|(_, error)| error)
    }

    /// How many sessions are cached.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of the cached sessions in bytes, approximately.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.entries.bytes()
    }

    /// Forgets a pod that ended, and each entry that no other pod uses.
    pub fn pod_gone(&self, uid: &str) {
        self.0.entries.values().iter().for_each(|entry| self.remove_user(entry, uid));
    }

    /// The pod has another session now; the entry is forgotten if no other pod uses it.
    pub fn leave(&self, key: &CacheKey, pod_uid: &str) {
        if let Some(entry) = self.0.entries.get(key) {
            self.remove_user(&entry, pod_uid);
        }
    }

    fn remove_user(&self, entry: &Arc<Entry>, pod_uid: &str) {
        // A change outdates the entry's snapshots, so only entries that the pod used change.
        if entry.lock().is_used_by(pod_uid) && entry.change(|state| state.remove_user(pod_uid)) {
            self.remove(entry);
        }
    }

    /// When each ServiceAccount's next session expires, the soonest first; at most `most` of them.
    #[must_use]
    pub fn expiries(&self, most: usize) -> Vec<(ServiceAccountRef, Timestamp)> {
        let entries = self.0.entries.values().into_iter();
        let mut expiries: Vec<_> = entries
            .filter_map(|entry| Some((entry.lock().expires()?, entry.key.service_account.clone())))
            .collect();
        expiries.sort_unstable();
        let mut named = HashSet::new();
        expiries.retain(|(_, service_account)| named.insert(service_account.clone()));
        expiries.truncate(most);
        expiries.into_iter().map(|(expires, service_account)| (service_account, expires)).collect()
    }

    fn entry(&self, key: &CacheKey) -> Arc<Entry> {
        let now = self.0.clock.now();
        if let Some(entry) = self.0.entries.get(key) {
            entry.touch(now);
            return entry;
        }
        let entry = Entry::new(key, now);
        let entry = self.0.entries.get_or_insert_with(&entry.key, || Arc::clone(&entry));
        self.update_gauges();
        entry
    }

    /// Removes `entry`, unless it has become of use since, or another one has taken its key.
    fn remove(&self, entry: &Arc<Entry>) {
        let leaves = |it: &Arc<Entry>| Arc::ptr_eq(it, entry) && it.change(State::leave);
        self.0.entries.remove_if(&entry.key, leaves);
        self.update_gauges();
    }

    fn update_gauges(&self) {
        self.0.metrics.cache_size(self.0.entries.len(), self.0.entries.bytes());
    }
}

#[cfg(test)]
mod tests;
