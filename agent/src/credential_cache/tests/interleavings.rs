//! The cache under shuttle, which runs each scenario in thousands of orders: every lock and every
//! await is a point at which another task may go on.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64},
    },
};

use shuttle::{
    Config, Runner,
    future::{JoinHandle, block_on, spawn, yield_now},
    scheduler::{PctScheduler, RandomScheduler},
};
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;

/// Runs the scenario in so many orders, chosen in two ways.
fn explore(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    let orders = std::env::var("PODROLE_ORDERS").ok().and_then(|text| text.parse().ok());
    let orders = orders.unwrap_or(200);
    let mut config = Config::default();
    config.stack_size = 1 << 19;
    Runner::new(RandomScheduler::new(orders), config.clone()).run(scenario);
    // Few changes of task, at chosen places: what needs a certain order is found sooner.
    Runner::new(PctScheduler::new(3, orders), config).run(scenario);
}

/// AWS, which answers after others had a turn, and rejects the token "bad".
#[derive(Default)]
struct SlowAws {
    calls: AtomicUsize,
    in_flight: Mutex<HashMap<SessionRequest, usize>>,
    now: Arc<AtomicI64>,
}

impl ExchangeClient for SlowAws {
    fn kind(&self) -> Exchange {
        Exchange::WebIdentity
    }

    fn endpoint(&self) -> &str {
        "test"
    }

    fn sends_the_token(&self) -> bool {
        true
    }

    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        _: &'a Caller,
        token: &'a BearerToken,
    ) -> BoxFuture<'a, Fetched> {
        async {
            self.calls.fetch_add(1, SeqCst);
            let count = |change: fn(&mut usize)| {
                let mut in_flight = self.in_flight.lock().unwrap();
                let of_key = in_flight.entry(session.clone()).or_default();
                change(of_key);
                *of_key
            };
            assert_eq!(count(|it| *it += 1), 1, "two fetches in flight for a key");
            yield_now().await;
            count(|it| *it -= 1);
            if token.expose() == "bad" {
                return fail(ErrorKind::Token);
            }
            an_hour(at(self.now.load(SeqCst)))
        }
        .boxed()
    }
}

/// The cache, without time: it is what a scenario sets.
#[derive(Clone)]
struct World {
    cache: CredentialCache,
    aws: Arc<SlowAws>,
}

fn world() -> (World, UnboundedReceiver<Due>) {
    world_of(BOUNDS)
}

fn world_of(bounds: Bounds) -> (World, UnboundedReceiver<Due>) {
    let aws = Arc::new(SlowAws::default());
    let now = Arc::clone(&aws.now);
    let clock = Clock::new(move || at(now.load(SeqCst)));
    let pods = PodMap::default();
    for uid in ["one", "two", "three"] {
        let node = Some("n1".to_owned());
        pods.insert(PodFacts { uid: uid.to_owned(), node, ..PodFacts::default() });
    }
    let liveness = Liveness::on(Arc::new(pods), "n1");
    let exchange = Arc::clone(&aws) as Arc<dyn ExchangeClient>;
    let (cache, dues) =
        CredentialCache::without_refresher(exchange, liveness, clock, Metrics::default(), bounds);
    (World { cache, aws }, dues)
}

impl World {
    async fn get(&self, pod: &str, token: &str) -> Result<Served, Arc<ExchangeError>> {
        self.get_from(&key(), pod, token).await
    }

    async fn get_from(
        &self,
        key: &CacheKey,
        pod: &str,
        token: &str,
    ) -> Result<Served, Arc<ExchangeError>> {
        let caller =
            Arc::new(Caller { pod_uid: pod.to_owned(), expires: at(24 * HOUR), ..caller() });
        let request = CredentialRequest { token: &bearer(token), caller: &caller, version: 0 };
        self.cache.get(key, request).await
    }

    /// A request, in a task of its own, of a pod and with a token of the same name.
    fn request(&self, pod: &'static str) -> JoinHandle<Result<(), Arc<ExchangeError>>> {
        let world = self.clone();
        spawn(async move { world.get(pod, pod).await.map(drop) })
    }

    /// Ends a pod, in a task of its own.
    fn end(&self, pod: &'static str) -> JoinHandle<()> {
        let world = self.clone();
        spawn(async move { world.cache.pod_gone(pod) })
    }

    /// The refresher's next few checks, in a task of its own: whatever is due is checked at once.
    fn refresher(&self, mut dues: UnboundedReceiver<Due>) -> JoinHandle<()> {
        let world = self.clone();
        spawn(async move {
            for _ in 0..4 {
                if let Some(entry) = dues.try_recv().ok().and_then(|due| due.entry()) {
                    world.cache.check(entry);
                }
                yield_now().await;
            }
        })
    }

    fn set_time(&self, seconds: i64) {
        self.aws.now.store(seconds, SeqCst);
    }
}

/// A request that is never woken would be a deadlock, which shuttle reports.
#[test]
fn every_request_is_answered_by_one_fetch() {
    explore(|| {
        block_on(async {
            let (world, dues) = world();
            let requests = ["one", "two", "three", "one"].map(|pod| world.request(pod));
            let refresher = world.refresher(dues);
            for request in requests {
                request.await.unwrap().unwrap();
            }
            refresher.await.unwrap();
            assert_eq!(world.aws.calls.load(SeqCst), 1);
        });
    });
}

#[test]
fn pods_that_end_let_no_second_fetch_begin() {
    explore(|| {
        block_on(async {
            let (world, dues) = world();
            let requests = ["one", "two", "one", "three"].map(|pod| world.request(pod));
            let ends = ["one", "two"].map(|pod| world.end(pod));
            let refresher = world.refresher(dues);
            for request in requests {
                request.await.unwrap().unwrap();
            }
            for end in ends {
                end.await.unwrap();
            }
            refresher.await.unwrap();
            assert!(world.get("three", "three").await.is_ok());
        });
    });
}

/// The session is due for a refresh when its only pod ends and another one begins.
#[test]
fn a_session_that_left_is_not_refreshed_beside_its_successor() {
    explore(|| {
        block_on(async {
            let (world, dues) = world();
            world.get("one", "one").await.unwrap();
            world.set_time(HOUR / 2);
            let refresher = world.refresher(dues);
            let end = world.end("one");
            let request = world.request("two");
            request.await.unwrap().unwrap();
            for task in [refresher, end] {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn eviction_lets_no_second_fetch_begin() {
    explore(|| {
        block_on(async {
            let (world, dues) = world_of(Bounds { entries: 1, ..BOUNDS });
            let requests = ["one", "two", "one", "two"].map(|name| {
                let world = world.clone();
                spawn(async move {
                    let mut key = key();
                    key.session.session_name = name.parse().unwrap();
                    world.get_from(&key, name, name).await.map(drop)
                })
            });
            let refresher = world.refresher(dues);
            for request in requests {
                request.await.unwrap().unwrap();
            }
            refresher.await.unwrap();
        });
    });
}

/// The session is due for a refresh, about to expire or expired.
#[test]
fn refresher_and_requests_start_no_second_fetch() {
    fn scenario(time: i64) {
        block_on(async {
            let (world, dues) = world();
            world.get("one", "one").await.unwrap();
            world.set_time(time);
            let refresher = world.refresher(dues);
            let requests = ["one", "two", "three"].map(|pod| world.request(pod));
            for request in requests {
                request.await.unwrap().unwrap();
            }
            refresher.await.unwrap();
            let calls = world.aws.calls.load(SeqCst);
            assert!(calls <= 2, "{calls} calls");
        });
    }
    explore(|| scenario(HOUR / 2));
    explore(|| scenario(HOUR - 5));
    explore(|| scenario(HOUR));
}

/// A snapshot is what the fast path serves from. Another pod uses the session too, or none does.
#[test]
fn no_snapshot_serves_after_its_pod_has_ended() {
    fn scenario(others: &'static [&'static str]) {
        block_on(async {
            let (world, dues) = world();
            world.get("one", "one").await.unwrap();
            for pod in others {
                world.get(pod, pod).await.unwrap();
            }
            let snapshot = world.get("one", "one").await.unwrap().snapshot.unwrap();
            let ended = Arc::new(AtomicBool::new(false));
            let reader = spawn({
                let (ended, clock) = (Arc::clone(&ended), world.cache.0.clock.clone());
                async move {
                    for _ in 0..3 {
                        let was_ended = ended.load(SeqCst);
                        let served = snapshot.credentials(clock.now()).is_some();
                        assert!(!(was_ended && served), "served after the pod's end");
                        yield_now().await;
                    }
                }
            });
            let end = spawn({
                let world = world.clone();
                async move {
                    world.cache.pod_gone("one");
                    ended.store(true, SeqCst);
                }
            });
            let requests = [world.request("two"), world.request("three")];
            let refresher = world.refresher(dues);
            for request in requests {
                request.await.unwrap().unwrap();
            }
            for task in [reader, end, refresher] {
                task.await.unwrap();
            }
        });
    }
    explore(|| scenario(&[]));
    explore(|| scenario(&["two"]));
}

#[test]
fn a_tokens_error_is_its_own() {
    explore(|| {
        block_on(async {
            let (world, _dues) = world();
            let bad = ["one", "two"].map(|pod| {
                let world = world.clone();
                spawn(async move { world.get(pod, "bad").await.map(drop) })
            });
            let good = ["one", "two", "three"].map(|pod| world.request(pod));
            for request in good {
                request.await.unwrap().unwrap();
            }
            for request in bad {
                let got = request.await.unwrap().map_err(|error| error.kind);
                assert!(matches!(got, Ok(()) | Err(ErrorKind::Token)), "{got:?}");
            }
        });
    });
}
