//! What was looked up a moment ago is not looked up again.

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
    lookup::{Found, Lookup},
};
use crate::{
    clock::Clock,
    lru::{LruCache, LruValue},
};

/// How long an answer stands; what was deleted or changed ends within it, with time to spare of
/// the 5 s that are promised.
const FRESH: SignedDuration = SignedDuration::from_secs(4);
/// How long a cluster that did not answer is left alone when nothing is known.
const AWAY: SignedDuration = SignedDuration::from_secs(1);
/// Of a request's 0.8 s, this much may go into asking.
const TIMEOUT: Duration = Duration::from_millis(300);
const MAX_NAMES: usize = 4096;

/// Remembers what `live` said for 4 s, and the last that is known while it cannot be asked.
pub struct Cached<L, K, V> {
    live: L,
    clock: Clock,
    known: LruCache<K, Arc<Name<V>>>,
}

/// What is known of a name.
struct Name<V> {
    asked: AtomicI64,
    /// Held while asking, so that who comes meanwhile waits for the same answer.
    known: Mutex<Option<Known<V>>>,
}

impl<V> LruValue for Arc<Name<V>> {
    fn last_used(&self) -> i64 {
        self.asked.load(Relaxed)
    }
}

struct Known<V> {
    answer: Found<V>,
    stands_until: Timestamp,
}

impl<L, K, V> Cached<L, K, V>
where
    L: Lookup<K, V>,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// A memory before `live`.
    #[must_use]
    pub fn new(live: L, clock: Clock) -> Self {
        Self { live, clock, known: LruCache::with_entries(MAX_NAMES) }
    }

    async fn look(&self, name: &K) -> Found<V> {
        let now = self.clock.now();
        let place = self.known.get(name).unwrap_or_else(|| {
            let none = || Arc::new(Name { asked: 0.into(), known: Mutex::new(None) });
            self.known.get_or_insert_with(name, none)
        });
        place.asked.store(now.as_millisecond(), Relaxed);
        let mut known = place.known.lock().await;
        let now = self.clock.now();
        if let Some(known) = known.as_ref().filter(|known| now < known.stands_until) {
            return known.answer.clone();
        }
        let asked = timeout(TIMEOUT, self.live.find(name)).await;
        let asked = asked.unwrap_or_else(|_| Err(LookupError("no answer".to_owned())));
        let before = known.take().map(|known| known.answer);
        let newer = judge(before, asked, self.clock.now());
        known.insert(newer).answer.clone()
    }
}

/// What is known after asking: the answer, or without one the last that is known.
fn judge<V>(before: Option<Found<V>>, asked: Found<V>, now: Timestamp) -> Known<V> {
    let answer = match (asked, before) {
        (Err(_), Some(Ok(before))) => Ok(before),
        (asked, _) => asked,
    };
    let stands = if answer.is_ok() { FRESH } else { AWAY };
    Known { answer, stands_until: now.saturating_add(stands).unwrap_or(now) }
}

impl<L, K, V> Lookup<K, V> for Cached<L, K, V>
where
    L: Lookup<K, V>,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn find<'a>(&'a self, name: &'a K) -> BoxFuture<'a, Found<V>> {
        self.look(name).boxed()
    }

    fn stands(&self, name: &K) -> Option<Timestamp> {
        let place = self.known.get(name)?;
        let known = place.known.try_lock().ok()?;
        known.as_ref().map(|known| known.stands_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::ServiceAccountFacts;
    use podrole_identity::ServiceAccountRef;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};

    type Answer = Found<ServiceAccountFacts>;
    type Accounts = Cached<Live, ServiceAccountRef, ServiceAccountFacts>;

    #[derive(Clone, Default)]
    struct Live(Arc<(AtomicUsize, AtomicI64)>);

    impl Live {
        fn away(&self, away: bool) {
            self.0.1.store(i64::from(away), SeqCst);
        }
    }

    impl Lookup<ServiceAccountRef, ServiceAccountFacts> for Live {
        fn find<'a>(&'a self, _: &'a ServiceAccountRef) -> BoxFuture<'a, Answer> {
            async {
                let asked = self.0.0.fetch_add(1, SeqCst);
                tokio::task::yield_now().await;
                if self.0.1.load(SeqCst) == 1 {
                    return Err(LookupError("away".to_owned()));
                }
                Ok(Some(Arc::new(ServiceAccountFacts {
                    uid: asked.to_string(),
                    ..ServiceAccountFacts::default()
                })))
            }
            .boxed()
        }
    }

    fn parts() -> (Live, Arc<AtomicI64>, Accounts) {
        let (live, time) = (Live::default(), Arc::new(AtomicI64::new(1_000_000)));
        let ticks = Arc::clone(&time);
        let clock = Clock::new(move || Timestamp::from_second(ticks.load(SeqCst)).unwrap());
        (live.clone(), time, Cached::new(live, clock))
    }

    fn uid(answer: Answer) -> String {
        answer.unwrap().unwrap().uid.clone()
    }

    #[tokio::test]
    async fn who_comes_together_asks_once_and_4_s_later_again() {
        let (live, time, cached) = parts();
        let account = "shop/app".parse().unwrap();
        let all = (0..64).map(|_| cached.find(&account));
        for answer in futures::future::join_all(all).await {
            assert_eq!(uid(answer), "0");
        }
        time.fetch_add(3, SeqCst);
        assert_eq!(uid(cached.find(&account).await), "0");
        time.fetch_add(1, SeqCst);
        assert_eq!(uid(cached.find(&account).await), "1");
        assert_eq!(live.0.0.load(SeqCst), 2);
    }

    #[tokio::test]
    async fn the_last_known_stands_while_the_cluster_is_away() {
        let (live, time, cached) = parts();
        let (known, unknown) = ("shop/app".parse().unwrap(), "shop/other".parse().unwrap());
        assert_eq!(uid(cached.find(&known).await), "0");
        live.away(true);
        time.fetch_add(3600, SeqCst);
        assert_eq!(uid(cached.find(&known).await), "0");
        assert!(cached.find(&unknown).await.is_err());
        assert!(cached.find(&unknown).await.is_err());
        assert_eq!(live.0.0.load(SeqCst), 3, "a cluster that is away is left alone");
        live.away(false);
        time.fetch_add(1, SeqCst);
        assert_eq!(uid(cached.find(&unknown).await), "3");
        time.fetch_add(4, SeqCst);
        assert_eq!(uid(cached.find(&known).await), "4");
    }
}
