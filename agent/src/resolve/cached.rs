//! A cache in front of look-ups at the API server.
//!
//! ```text
//!   request ──► NameState::step ──► answer │ wait for the attempt in flight
//!                   └─ begin ─► follow (a task for the name) ──► look-up ──► NameState::end
//!                                  └─ while the name is read: look-ups, or a watch if it is read often
//! ```
//!
//! An attempt runs in a task of its own, so that its answer is kept although the request that began it has given up: an
//! API server that needs longer than a request has must not starve a cold agent.

mod health;
mod state;

use std::{
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicI64, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    LookupError,
    lookup::{Lookup, LookupResult},
};
use crate::{
    clock::Clock,
    jitter::jitter,
    lru::{LruCache, LruValue},
};
use health::{ApiHealth, SILENCE};
use state::{NameState, Step};

/// How much of a request's 0.9 s it waits for a look-up if an old answer may be used instead.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a look-up may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Before an answer that was used is looked up again: sooner than it gets stale, so that a name in use never waits.
const AHEAD: Duration = Duration::from_secs(3);
/// Look-ups without a change after this time show whether a watch still reports.
const QUIET: Duration = Duration::from_secs(150);
/// When a name is checked for being read often, after its look-up began: a watch that begins then saves the look-up
/// after [`AHEAD`].
const CHECKS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(1400),
];
/// How long a watch may take to begin: with the last of [`CHECKS`] less than an answer is fresh, or the next request
/// would begin another.
const FIRST: Duration = Duration::from_millis(2500);
/// How long, and up to three times as long, a name is not watched after its watch failed: an agent without the right to
/// watch, or all agents whose API server restarts, must not begin watches at once.
const PAUSE: Duration = Duration::from_secs(30);
/// After how long without a request a watch ends.
const UNUSED: SignedDuration = SignedDuration::from_mins(10);
const MAX_NAMES: usize = 4096;

/// How many names an agent watches at once. Each is a watch that the API server serves.
#[derive(Clone)]
pub struct WatchSlots(Arc<Semaphore>);

impl Default for WatchSlots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(12)))
    }
}

/// Caches the answers of a [`Lookup`] for 4 s, and returns the last known one while the API server fails.
pub struct Cached<L, K, V> {
    shared: Arc<Shared<L, K, V>>,
    ended: CancellationToken,
    _end: DropGuard,
}

struct Shared<L, K, V> {
    live: L,
    clock: Clock,
    slots: WatchSlots,
    known: LruCache<K, Arc<Entry<V>>>,
    health: Mutex<ApiHealth>,
    /// Whether the last known answer is used while look-ups fail.
    keeps_last: bool,
    /// How often an answer differed from the one before.
    changes: AtomicU64,
}

/// One name.
struct Entry<V> {
    /// When it was last requested, in milliseconds since 1970.
    last_used: AtomicI64,
    state: Mutex<NameState<V>>,
    /// Notified when an attempt ends.
    ended: Notify,
}

impl<V> LruValue for Arc<Entry<V>> {
    fn last_used(&self) -> i64 {
        self.last_used.load(Relaxed)
    }
}

impl<V> Entry<V> {
    fn new(keeps_last: bool) -> Arc<Self> {
        let (last_used, state) = (AtomicI64::new(0), Mutex::new(NameState::new(keeps_last)));
        Arc::new(Self { last_used, state, ended: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, NameState<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L, K, V> Cached<L, K, V>
where
    L: Lookup<K, V>,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: PartialEq + Send + Sync + 'static,
{
    /// A cache in front of `live`, for at most 4096 names. Must be used in a runtime.
    #[must_use]
    pub fn new(live: L, clock: Clock, slots: WatchSlots) -> Self {
        Self::build(live, clock, slots, true)
    }

    /// A cache that returns an error while the API server fails, whatever was known. It watches nothing.
    #[must_use]
    pub fn without_last_known(live: L, clock: Clock) -> Self {
        Self::build(live, clock, WatchSlots(Arc::new(Semaphore::new(0))), false)
    }

    fn build(live: L, clock: Clock, slots: WatchSlots, keeps_last: bool) -> Self {
        let (known, health) = (LruCache::with_entries(MAX_NAMES), Mutex::default());
        let changes = AtomicU64::new(0);
        let shared = Arc::new(Shared { live, clock, slots, known, health, keeps_last, changes });
        let ended = CancellationToken::new();
        Self { shared, _end: ended.clone().drop_guard(), ended }
    }

    async fn look(&self, name: &K) -> LookupResult<V> {
        let now = self.shared.clock.steady();
        let entry = self.shared.entry(name);
        entry.last_used.store(now.as_millisecond(), Relaxed);
        // Created before the step, so that no end is missed.
        let ended = entry.ended.notified();
        let step = entry.lock().step(now);
        let begun = match step {
            Step::Answer(answer) => return answer,
            Step::Begin(follower) => {
                self.follow(name, &entry, follower);
                now
            }
            Step::Wait(begun) => begun,
        };
        tokio::pin!(ended);
        for patience in [PATIENCE, SILENCE.unsigned_abs()] {
            let waited = between(begun, self.shared.clock.steady());
            if timeout(patience.saturating_sub(waited), &mut ended).await.is_ok() {
                break;
            }
            let meanwhile =
                entry.lock().meanwhile(&self.shared.health(), self.shared.clock.steady());
            if let Some(answer) = meanwhile {
                return answer;
            }
        }
        // It has nothing else: the request's own deadline ends this.
        if entry.lock().in_flight() == Some(begun) {
            ended.await;
        }
        let answer = entry.lock().newest();
        answer.unwrap_or_else(|| Err(LookupError::Unreachable("the agent is ending".to_owned())))
    }

    /// Makes the attempt that was begun for the name, and keeps its answer current while the name is in use.
    fn follow(&self, name: &K, entry: &Arc<Entry<V>>, follower: u64) {
        let (shared, name, entry) = (Arc::clone(&self.shared), name.clone(), Arc::clone(entry));
        let ended = self.ended.clone();
        tokio::spawn(ended.run_until_cancelled_owned(async move {
            shared.follow(&name, &entry, follower).await;
        }));
    }
}

impl<L, K, V> Shared<L, K, V>
where
    L: Lookup<K, V>,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: PartialEq + Send + Sync + 'static,
{
    fn entry(&self, name: &K) -> Arc<Entry<V>> {
        let known = self.known.get(name);
        let new = || Entry::new(self.keeps_last);
        known.unwrap_or_else(|| self.known.get_or_insert_with(name, new))
    }

    fn health(&self) -> MutexGuard<'_, ApiHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(&self, name: &K, entry: &Entry<V>, follower: u64) {
        loop {
            let in_flight = entry.lock().in_flight();
            let Some(begun) = in_flight else { return };
            if self.attempt(name, entry).await.is_err() {
                return;
            }
            for check in CHECKS {
                sleep(check.saturating_sub(between(begun, self.clock.steady()))).await;
                self.watch_if_hot(name, entry, follower).await;
            }
            // A watch that fails at once must not be begun again at once.
            sleep(AHEAD.saturating_sub(between(begun, self.clock.steady()))).await;
            let (mut state, now) = (entry.lock(), self.clock.steady());
            if !state.is_read_since(begun) || !state.begin(follower, now) {
                return;
            }
        }
    }

    /// Watches the name if it is read often and one more may be watched.
    async fn watch_if_hot(&self, name: &K, entry: &Entry<V>, follower: u64) {
        let hot = entry.lock().is_hot(self.live.watches_missing(), self.clock.steady());
        if hot && let Ok(_slot) = self.slots.0.try_acquire() {
            // Boxed: a name in use has a task of this size, and few are watched.
            Box::pin(self.watch(name, entry, follower)).await;
        }
    }

    /// Looks the name up and keeps the result.
    async fn attempt(&self, name: &K, entry: &Entry<V>) -> LookupResult<V> {
        let result = timeout(TIMEOUT, self.live.find(name)).await;
        let late = || LookupError::Unreachable("no answer within 5 s".to_owned());
        let result = result.unwrap_or_else(|_| Err(late()));
        let now = self.clock.steady();
        self.health().note(result.as_ref().err(), now);
        let mut state = entry.lock();
        let before = state.newest();
        state.end(result.clone(), now);
        drop(state);
        if matches!((&before, &result), (Some(Ok(before)), Ok(now)) if before != now) {
            self.changes.fetch_add(1, Release);
        }
        entry.ended.notify_waiters();
        result
    }

    /// Looks the name up whenever a watch reports a change, until the watch ends or the name is out of use.
    ///
    /// The watch's own objects are not used: if another API server sends them, they may be older than an answer that is
    /// known already. A look-up's never are.
    async fn watch(&self, name: &K, entry: &Entry<V>, follower: u64) {
        let Some(mut changes) = self.live.watch(name) else { return };
        let mut reports = false;
        loop {
            let patience = if reports { QUIET } else { FIRST };
            let change = timeout(patience, changes.next()).await;
            let before = {
                let (mut state, now) = (entry.lock(), self.clock.steady());
                if !state.is_followed_by(follower) {
                    return;
                }
                let quiet = reports && change.is_err();
                let works = quiet || matches!(change, Ok(Some(Ok(()))));
                let used = state.is_read_since(now.saturating_sub(UNUSED).unwrap_or(now));
                if !works {
                    let pause = PAUSE.mul_f64(1.0 + 2.0 * jitter());
                    state.pause_watches(now.saturating_add(pause).unwrap_or(now));
                }
                if !quiet || !used {
                    state.outdated(now);
                }
                if !works || !used || !state.begin(follower, now) {
                    return;
                }
                state.newest()
            };
            reports = true;
            let result = self.attempt(name, entry).await;
            let mut state = entry.lock();
            // A change that the watch has not reported shows that it reports none.
            let missed = change.is_err() && before.as_ref() != Some(&result);
            if result.is_err() || missed {
                return state.outdated(self.clock.steady());
            }
            state.set_watched();
        }
    }
}

/// From `then` until `now`; nothing if that is negative.
fn between(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}

impl<L, K, V> Lookup<K, V> for Cached<L, K, V>
where
    L: Lookup<K, V>,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: PartialEq + Send + Sync + 'static,
{
    fn find<'a>(&'a self, name: &'a K) -> BoxFuture<'a, LookupResult<V>> {
        self.look(name).boxed()
    }

    fn doubt(&self, name: &K) {
        if let Some(entry) = self.shared.known.get(name) {
            entry.lock().doubt(self.shared.clock.steady());
        }
    }

    fn changes(&self) -> u64 {
        self.shared.changes.load(Acquire)
    }

    fn fresh_until(&self, name: &K) -> Option<Timestamp> {
        self.shared.known.get(name)?.lock().fresh_until(self.shared.clock.steady())
    }
}

#[cfg(test)]
mod tests;
