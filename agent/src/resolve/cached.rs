//! A cache in front of look-ups at the API server.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Mutex, time::timeout};

use super::{
    LookupError,
    lookup::{Lookup, LookupResult},
};
use crate::{
    clock::Clock,
    lru::{LruCache, LruValue},
};

/// How long an answer is used before the next look-up. The documentation promises that a deleted or
/// changed object takes effect within 5 s; the rest is for the look-up itself.
const TTL: SignedDuration = SignedDuration::from_secs(4);
/// How long an error is remembered if no earlier value is known, so that requests do not load an
/// API server that does not answer.
const ERROR_TTL: SignedDuration = SignedDuration::from_secs(1);
/// How much of a request's 0.8 s a look-up may take.
const TIMEOUT: Duration = Duration::from_millis(300);
const MAX_NAMES: usize = 4096;

/// Caches the answers of `live` for 4 s, and returns the last known value while `live` fails.
pub struct Cached<L, K, V> {
    live: L,
    clock: Clock,
    known: LruCache<K, Arc<Entry<V>>>,
}

/// The cached answer for one name.
struct Entry<V> {
    /// When it was last requested, in milliseconds since 1970.
    last_used: AtomicI64,
    /// Locked during the look-up, so that concurrent requests wait for the same answer.
    known: Mutex<Option<Known<V>>>,
}

impl<V> LruValue for Arc<Entry<V>> {
    fn last_used(&self) -> i64 {
        self.last_used.load(Relaxed)
    }
}

struct Known<V> {
    answer: LookupResult<V>,
    fresh_until: Timestamp,
}

impl<L, K, V> Cached<L, K, V>
where
    L: Lookup<K, V>,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// A cache in front of `live`, for at most 4096 names.
    #[must_use]
    pub fn new(live: L, clock: Clock) -> Self {
        Self { live, clock, known: LruCache::with_entries(MAX_NAMES) }
    }

    async fn look(&self, name: &K) -> LookupResult<V> {
        let now = self.clock.now();
        let entry = self.known.get(name).unwrap_or_else(|| {
            let none = || Arc::new(Entry { last_used: 0.into(), known: Mutex::new(None) });
            self.known.get_or_insert_with(name, none)
        });
        entry.last_used.store(now.as_millisecond(), Relaxed);
        let mut known = entry.known.lock().await;
        let now = self.clock.now();
        if let Some(known) = known.as_ref().filter(|known| now < known.fresh_until) {
            return known.answer.clone();
        }
        let result = timeout(TIMEOUT, self.live.find(name)).await;
        let result = result.unwrap_or_else(|_| Err(LookupError("no answer".to_owned())));
        let before = known.take().map(|known| known.answer);
        let newer = next(before, result, self.clock.now());
        known.insert(newer).answer.clone()
    }
}

/// What to cache after a look-up: its answer or, if it failed, the last known value.
fn next<V>(before: Option<LookupResult<V>>, result: LookupResult<V>, now: Timestamp) -> Known<V> {
    let answer = match (result, before) {
        (Err(_), Some(Ok(before))) => Ok(before),
        (result, _) => result,
    };
    let ttl = if answer.is_ok() { TTL } else { ERROR_TTL };
    Known { answer, fresh_until: now.saturating_add(ttl).unwrap_or(now) }
}

impl<L, K, V> Lookup<K, V> for Cached<L, K, V>
where
    L: Lookup<K, V>,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn find<'a>(&'a self, name: &'a K) -> BoxFuture<'a, LookupResult<V>> {
        self.look(name).boxed()
    }

    fn fresh_until(&self, name: &K) -> Option<Timestamp> {
        let entry = self.known.get(name)?;
        let known = entry.known.try_lock().ok()?;
        known.as_ref().map(|known| known.fresh_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::ServiceAccountFacts;
    use podrole_identity::ServiceAccountRef;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};

    type Answer = LookupResult<ServiceAccountFacts>;
    type ServiceAccounts = Cached<Live, ServiceAccountRef, ServiceAccountFacts>;

    #[derive(Clone, Default)]
    struct Live(Arc<(AtomicUsize, AtomicI64)>);

    impl Live {
        fn fail(&self, fails: bool) {
            self.0.1.store(i64::from(fails), SeqCst);
        }
    }

    impl Lookup<ServiceAccountRef, ServiceAccountFacts> for Live {
        fn find<'a>(&'a self, _: &'a ServiceAccountRef) -> BoxFuture<'a, Answer> {
            async {
                let asked = self.0.0.fetch_add(1, SeqCst);
                tokio::task::yield_now().await;
                if self.0.1.load(SeqCst) == 1 {
                    return Err(LookupError("no answer".to_owned()));
                }
                Ok(Some(Arc::new(ServiceAccountFacts {
                    uid: asked.to_string(),
                    ..ServiceAccountFacts::default()
                })))
            }
            .boxed()
        }
    }

    fn parts() -> (Live, Arc<AtomicI64>, ServiceAccounts) {
        let (live, time) = (Live::default(), Arc::new(AtomicI64::new(1_000_000)));
        let ticks = Arc::clone(&time);
        let clock = Clock::new(move || Timestamp::from_second(ticks.load(SeqCst)).unwrap());
        (live.clone(), time, Cached::new(live, clock))
    }

    fn uid(answer: Answer) -> String {
        answer.unwrap().unwrap().uid.clone()
    }

    #[tokio::test]
    async fn concurrent_requests_share_a_look_up_that_is_repeated_after_4_s() {
        let (live, time, cached) = parts();
        let service_account = "shop/app".parse().unwrap();
        let all = (0..64).map(|_| cached.find(&service_account));
        for answer in futures::future::join_all(all).await {
            assert_eq!(uid(answer), "0");
        }
        time.fetch_add(3, SeqCst);
        assert_eq!(uid(cached.find(&service_account).await), "0");
        time.fetch_add(1, SeqCst);
        assert_eq!(uid(cached.find(&service_account).await), "1");
        assert_eq!(live.0.0.load(SeqCst), 2);
    }

    #[tokio::test]
    async fn the_last_known_value_is_used_while_the_api_server_fails() {
        let (live, time, cached) = parts();
        let (known, unknown) = ("shop/app".parse().unwrap(), "shop/other".parse().unwrap());
        assert_eq!(uid(cached.find(&known).await), "0");
        live.fail(true);
        time.fetch_add(3600, SeqCst);
        assert_eq!(uid(cached.find(&known).await), "0");
        assert!(cached.find(&unknown).await.is_err());
        assert!(cached.find(&unknown).await.is_err());
        assert_eq!(live.0.0.load(SeqCst), 3, "a failing API server is not called again at once");
        live.fail(false);
        time.fetch_add(1, SeqCst);
        assert_eq!(uid(cached.find(&unknown).await), "3");
        time.fetch_add(4, SeqCst);
        assert_eq!(uid(cached.find(&known).await), "4");
    }
}
