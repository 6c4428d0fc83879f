use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::future::{BoxFuture, FutureExt as _, join_all};
use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use podrole_identity::Exchange as Kind;

use super::*;
use crate::{
    exchange::{Credentials, Hop, SessionRequest, Tag},
    node::{PodFacts, PodMap},
    secret::Secret,
    tests::fixture::{ROLE, at, caller, credentials},
    token::Caller,
};

mod leaving;
mod refresh;
mod sharing;

const HOUR: i64 = 3600;
const BOUNDS: Bounds = Bounds { entries: 100, bytes: 200_000 };

type Answer = Result<Credentials, ExchangeError>;
type Script = dyn Fn(usize, &str, Timestamp) -> Answer + Send + Sync;

/// An AWS that answers by script: the call's number, the token and the time go in.
struct Scripted {
    calls: AtomicUsize,
    takes: Duration,
    clock: Clock,
    sends_the_token: bool,
    script: Box<Script>,
}

impl Exchange for Scripted {
    fn kind(&self) -> Kind {
        Kind::WebIdentity
    }

    fn place(&self) -> &str {
        "test"
    }

    fn sends_the_token(&self) -> bool {
        self.sends_the_token
    }

    fn exchange<'a>(
        &'a self,
        _: &'a SessionRequest,
        _: &'a Caller,
        token: &'a Secret,
    ) -> BoxFuture<'a, Answer> {
        async {
            let call = self.calls.fetch_add(1, SeqCst) + 1;
            sleep(self.takes).await;
            (self.script)(call, token.expose(), self.clock.now())
        }
        .boxed()
    }
}

/// A store over a script, on tokio's clock, which tests pause.
struct Bench {
    keep: Keep,
    aws: Arc<Scripted>,
    pods: PodMap,
    clock: Clock,
}

/// An AWS that takes tokens.
fn bench(script: impl Fn(usize, &str, Timestamp) -> Answer + Send + Sync + 'static) -> Bench {
    bench_of(true, script)
}

fn bench_of(
    sends_the_token: bool,
    script: impl Fn(usize, &str, Timestamp) -> Answer + Send + Sync + 'static,
) -> Bench {
    let begun = Instant::now();
    let clock = Clock::new(move || at(0) + begun.elapsed());
    let aws = Arc::new(Scripted {
        calls: AtomicUsize::new(0),
        takes: Duration::from_millis(100),
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
    let exchange = Arc::clone(&aws) as Arc<dyn Exchange>;
    let keep = Keep::new(exchange, liveness, clock.clone(), Metrics::default(), BOUNDS);
    Bench { keep, aws, pods, clock }
}

impl Bench {
    /// A request with the token `token`, which lives for a day.
    async fn get(&self, token: &str) -> Result<Arc<Kept>, Arc<ExchangeError>> {
        self.get_with(token, 24 * HOUR).await
    }

    async fn get_with(&self, token: &str, life: i64) -> Result<Arc<Kept>, Arc<ExchangeError>> {
        let mut caller = caller();
        caller.expires = at(life);
        let mut hash = [0; 32];
        hash[..token.len()].copy_from_slice(token.as_bytes());
        let caller = Arc::new(caller);
        let presented = Presented { token, hash, caller: &caller, version: 0 };
        self.keep.get(&key(), presented).await.map(|served| served.kept)
    }

    /// A request for a session that differs in one thing.
    async fn get_changed(
        &self,
        change: impl FnOnce(&mut Key),
    ) -> Result<Arc<Kept>, Arc<ExchangeError>> {
        let (mut key, caller) = (key(), Arc::new(caller()));
        change(&mut key);
        let presented = Presented { token: "a", hash: [0; 32], caller: &caller, version: 0 };
        self.keep.get(&key, presented).await.map(|served| served.kept)
    }

    fn calls(&self) -> usize {
        self.aws.calls.load(SeqCst)
    }
}

fn key() -> Key {
    let caller = caller();
    Key {
        exchange: Kind::WebIdentity,
        place: "test".into(),
        session: SessionRequest {
            session_name: "shop.app".parse().unwrap(),
            hops: vec![hop(ROLE)],
            tags: Vec::new(),
        },
        service_account: caller.service_account,
        service_account_uid: caller.service_account_uid,
        audiences: caller.audiences,
        pod_uid: None,
    }
}

fn hop(role: &str) -> Hop {
    let role = role.parse().unwrap();
    Hop { role, external_id: None, policy: None, duration_seconds: None }
}

fn an_hour(now: Timestamp) -> Answer {
    Ok(credentials(now + SignedDuration::from_secs(HOUR)))
}

fn fail(kind: ErrorKind) -> Answer {
    Err(ExchangeError::new(kind, "Code", "text"))
}

async fn minutes(minutes: u64) {
    sleep(Duration::from_secs(60 * minutes)).await;
}
