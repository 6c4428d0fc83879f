use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::tests::fixture::at;
use podrole_runtime::health::Health;

/// A source that can be away, and gives keys that last as long as it is told.
struct World {
    own: OwnCredentials,
    health: Health,
    time: Arc<AtomicI64>,
    away: Arc<AtomicI64>,
    asked: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Source(Result<Credentials, ()>);

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = |()| CredentialsError::not_loaded("away");
        future::ProvideCredentials::ready(self.0.clone().map_err(error))
    }
}

fn world(life: Option<i64>) -> World {
    let (time, away, asked) = (Arc::default(), Arc::<AtomicI64>::default(), Arc::default());
    let (ticks, gone, count) =
        (Arc::<AtomicI64>::clone(&time), Arc::clone(&away), Arc::<AtomicUsize>::clone(&asked));
    let now = move || at(ticks.load(SeqCst));
    let clock = Clock::new(now.clone());
    let find = move || {
        let number = count.fetch_add(1, SeqCst);
        let end = life.map(|life| (now() + SignedDuration::from_secs(life)).into());
        let keys = Credentials::new(format!("AKIA{number}"), "s", None, end, "test");
        let found = if gone.load(SeqCst) == 1 { Err(()) } else { Ok(keys) };
        SharedCredentialsProvider::new(Source(found))
    };
    let health = Health::default();
    let own = OwnCredentials::from(find, clock, health.gate("own"));
    World { own, health, time, away, asked }
}

impl World {
    async fn key(&self) -> Result<String, ErrorKind> {
        let got = self.own.get().await;
        got.map(|keys| keys.access_key_id().to_owned()).map_err(|error| error.kind)
    }

    fn is_ready(&self) -> bool {
        self.health.pending().is_empty()
    }
}

#[tokio::test]
async fn they_are_found_anew_5_minutes_before_they_end() {
    let world = world(Some(3600));
    assert!(!world.is_ready());
    assert_eq!(world.key().await.unwrap(), "AKIA0");
    assert!(world.is_ready());
    world.time.store(3299, SeqCst);
    assert_eq!(world.key().await.unwrap(), "AKIA0");
    world.time.store(3300, SeqCst);
    assert_eq!(world.key().await.unwrap(), "AKIA1");
}

#[tokio::test]
async fn those_without_an_end_are_looked_at_each_minute() {
    let world = world(None);
    for (second, key) in [(0, "AKIA0"), (59, "AKIA0"), (60, "AKIA1")] {
        world.time.store(second, SeqCst);
        assert_eq!(world.key().await.unwrap(), key);
    }
}

#[tokio::test]
async fn what_is_in_hand_outlives_a_source_that_is_away_and_then_we_are_not_ready() {
    let world = world(Some(3600));
    assert_eq!(world.key().await.unwrap(), "AKIA0");
    world.away.store(1, SeqCst);
    world.time.store(3400, SeqCst);
    assert_eq!(world.key().await.unwrap(), "AKIA0");
    assert_eq!(world.key().await.unwrap(), "AKIA0");
    assert_eq!(world.asked.load(SeqCst), 2, "a source that is away is left alone");
    assert!(world.is_ready());
    world.time.store(3600, SeqCst);
    assert_eq!(world.key().await, Err(ErrorKind::Ours));
    assert!(!world.is_ready());
    world.away.store(0, SeqCst);
    assert!(world.key().await.is_ok() && world.is_ready());
}

fn keys(access_key_id: &str) -> Credentials {
    Credentials::new(access_key_id, "s", None, None, "test")
}

fn refusal(kind: ErrorKind) -> Result<(), ExchangeError> {
    Err(ExchangeError::new(kind, "Code", "why"))
}

#[tokio::test]
async fn what_aws_refuses_is_thrown_away() {
    let world = world(Some(3600));
    assert_eq!(world.key().await.unwrap(), "AKIA0");
    world.own.hear(&keys("AKIA-of-before"), &refusal(ErrorKind::Ours)).await;
    world.own.hear(&keys("AKIA0"), &refusal(ErrorKind::Role)).await;
    assert_eq!(world.key().await.unwrap(), "AKIA0");
    world.own.hear(&keys("AKIA0"), &refusal(ErrorKind::Ours)).await;
    assert!(!world.is_ready());
    assert_eq!(world.key().await.unwrap(), "AKIA1");
    assert!(world.is_ready());
}

#[tokio::test]
async fn the_same_credentials_found_again_make_nobody_ready_before_aws_takes_them() {
    let world = world(Some(3600));
    let again = async || {
        world.asked.store(0, SeqCst);
        assert_eq!(world.key().await.unwrap(), "AKIA0");
    };
    again().await;
    world.own.hear(&keys("AKIA0"), &refusal(ErrorKind::Ours)).await;
    again().await;
    world.time.store(299, SeqCst);
    again().await;
    assert!(!world.is_ready(), "they are the refused ones");
    world.own.hear(&keys("AKIA0"), &Ok(())).await;
    assert!(world.is_ready(), "AWS takes them now");
    world.own.hear(&keys("AKIA0"), &refusal(ErrorKind::Ours)).await;
    again().await;
    assert!(!world.is_ready());
    // Where no pod asks, nobody finds out: it is tried.
    world.time.store(600, SeqCst);
    again().await;
    assert!(world.is_ready());
}

#[tokio::test]
async fn the_container_provider_is_never_asked() {
    let error = Never.provide_credentials().await.unwrap_err();
    assert!(format!("{:?}", std::error::Error::source(&error)).contains("itself"), "{error:?}");
}
