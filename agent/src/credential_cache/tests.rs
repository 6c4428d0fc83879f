use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::future::{BoxFuture, FutureExt as _, join_all};
use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use podrole_identity::Exchange;

use super::*;
use crate::{
    bearer_token::{BearerToken, tests::bearer},
    exchange::{Credentials, RoleStep, SessionRequest, Tag},
    node::{PodFacts, PodMap},
    tests::fixture::{ROLE, at, caller, credentials},
    token::Caller,
};

mod interleavings;
mod leaving;
mod refresh;
mod sharing;

const HOUR: i64 = 3600;
const BOUNDS: Bounds = Bounds { entries: 100, bytes: 200_000 };

type Fetched = Result<Credentials, ExchangeError>;
type Script = dyn Fn(usize, &str, Timestamp) -> Fetched + Send + Sync;

/// A scripted AWS: the script gets the call's number, the token and the time.
struct Scripted {
    calls: AtomicUsize,
    latency: Duration,
    clock: Clock,
    sends_the_token: bool,
    script: Box<Script>,
}

impl ExchangeClient for Scripted {
    fn kind(&self) -> Exchange {
        Exchange::WebIdentity
    }

    fn endpoint(&self) -> &str {
        "test"
    }

    fn sends_the_token(&self) -> bool {
        self.sends_the_token
    }

    fn exchange<'a>(
        &'a self,
        _: &'a SessionRequest,
        _: &'a Caller,
        token: &'a BearerToken,
    ) -> BoxFuture<'a, Fetched> {
        async {
            let call = self.calls.fetch_add(1, SeqCst) + 1;
            sleep(self.latency).await;
            (self.script)(call, token.expose(), self.clock.now())
        }
        .boxed()
    }
}

/// A cache with a scripted AWS, on tokio's clock, which tests pause.
struct Bench {
    cache: CredentialCache,
    aws: Arc<Scripted>,
    pods: PodMap,
    clock: Clock,
}

/// A cache whose exchange sends the tokens.
fn bench(script: impl Fn(usize, &str, Timestamp) -> Fetched + Send + Sync + 'static) -> Bench {
    bench_of(true, script)
}

fn bench_of(
    sends_the_token: bool,
    script: impl Fn(usize, &str, Timestamp) -> Fetched + Send + Sync + 'static,
) -> Bench {
    let begun = Instant::now();
    let clock = Clock::new(move || at(0) + begun.elapsed());
    let aws = Arc::new(Scripted {
        calls: AtomicUsize::new(0),
        latency: Duration::from_millis(100),
        clock: clock.clone(),
        sends_the_token,
        script: Box::new(script),
    });
    let pods = PodMap::default();
    pods.insert(PodFacts {
        uid: "pod-uid".to_owned(),
        node: Some("n1".to_owned()),
        ..PodFacts::default()
    });
    let liveness = Liveness::on(Arc::new(pods.clone()), "n1");
    let exchange = Arc::clone(&aws) as Arc<dyn ExchangeClient>;
    let cache = CredentialCache::new(exchange, liveness, clock.clone(), Metrics::default(), BOUNDS);
    Bench { cache, aws, pods, clock }
}

impl Bench {
    /// A request with a token that lives for a day.
    async fn get(&self, token: &str) -> Result<Arc<CachedCredentials>, Arc<ExchangeError>> {
        self.get_with(token, 24 * HOUR).await
    }

    async fn get_with(
        &self,
        token: &str,
        life: i64,
    ) -> Result<Arc<CachedCredentials>, Arc<ExchangeError>> {
        let mut caller = caller();
        caller.expires = at(life);
        let caller = Arc::new(caller);
        let request = CredentialRequest { token: &bearer(token), caller: &caller, version: 0 };
        self.cache.get(&key(), request).await.map(|served| served.credentials)
    }

    /// A request for a session that differs in one part of the key.
    async fn get_changed(
        &self,
        change: impl FnOnce(&mut CacheKey),
    ) -> Result<Arc<CachedCredentials>, Arc<ExchangeError>> {
        let (mut key, caller) = (key(), Arc::new(caller()));
        change(&mut key);
        let request = CredentialRequest { token: &bearer("a"), caller: &caller, version: 0 };
        self.cache.get(&key, request).await.map(|served| served.credentials)
    }

    fn calls(&self) -> usize {
        self.aws.calls.load(SeqCst)
    }
}

fn key() -> CacheKey {
    let caller = caller();
    CacheKey {
        exchange: Exchange::WebIdentity,
        endpoint: "test".into(),
        session: SessionRequest {
            session_name: "shop.app".parse().unwrap(),
            steps: vec![step(ROLE)],
            tags: Vec::new(),
        },
        service_account: caller.service_account,
        service_account_uid: caller.service_account_uid,
        audiences: caller.audiences,
        pod_uid: None,
        not_before: None,
    }
}

fn step(role: &str) -> RoleStep {
    let role = role.parse().unwrap();
    RoleStep { role, external_id: None, policy: None, duration_seconds: None }
}

fn an_hour(now: Timestamp) -> Fetched {
    Ok(credentials(now + SignedDuration::from_secs(HOUR)))
}

fn fail(kind: ErrorKind) -> Fetched {
    Err(ExchangeError::new(kind, "Code", "text"))
}

async fn minutes(minutes: u64) {
    sleep(Duration::from_secs(60 * minutes)).await;
}
