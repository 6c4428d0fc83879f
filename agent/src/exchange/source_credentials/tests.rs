use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::tests::fixture::at;
use podrole_runtime::health::Health;

/// Source credentials whose provider can fail, and whose keys live for a given time.
struct Harness {
    source: SourceCredentials,
    health: Health,
    time: Arc<AtomicI64>,
    away: Arc<AtomicI64>,
    loads: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct ScriptedProvider(Result<SourceKeys, ()>);

impl ProvideCredentials for ScriptedProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = |()| CredentialsError::not_loaded("away");
        future::ProvideCredentials::ready(self.0.clone().map_err(error))
    }
}

fn harness(life: Option<i64>) -> Harness {
    let (time, away, loads) = (Arc::default(), Arc::<AtomicI64>::default(), Arc::default());
    let (ticks, gone, count) =
        (Arc::<AtomicI64>::clone(&time), Arc::clone(&away), Arc::<AtomicUsize>::clone(&loads));
    let now = move || at(ticks.load(SeqCst));
    let clock = Clock::new(now.clone());
    let provider = move || {
        let number = count.fetch_add(1, SeqCst);
        let expiry = life.map(|life| (now() + SignedDuration::from_secs(life)).into());
        let keys = SourceKeys::new(format!("AKIA{number}"), "s", None, expiry, "test");
        let loaded = if gone.load(SeqCst) == 1 { Err(()) } else { Ok(keys) };
        SharedCredentialsProvider::new(ScriptedProvider(loaded))
    };
    let health = Health::default();
    let source = SourceCredentials::from(provider, clock, health.gate("source credentials"));
    Harness { source, health, time, away, loads }
}

impl Harness {
    async fn key(&self) -> Result<String, ErrorKind> {
        let got = self.source.get().await;
        got.map(|keys| keys.access_key_id().to_owned()).map_err(|error| error.kind)
    }

    fn is_ready(&self) -> bool {
        self.health.pending().is_empty()
    }
}

#[tokio::test]
async fn keys_are_loaded_again_5_minutes_before_they_expire() {
    let harness = harness(Some(3600));
    assert!(!harness.is_ready());
    assert_eq!(harness.key().await.unwrap(), "AKIA0");
    assert!(harness.is_ready());
    harness.time.store(3299, SeqCst);
    assert_eq!(harness.key().await.unwrap(), "AKIA0");
    harness.time.store(3300, SeqCst);
    assert_eq!(harness.key().await.unwrap(), "AKIA1");
}

#[tokio::test]
async fn keys_without_an_expiry_are_loaded_again_each_minute() {
    let harness = harness(None);
    for (second, key) in [(0, "AKIA0"), (59, "AKIA0"), (60, "AKIA1")] {
        harness.time.store(second, SeqCst);
        assert_eq!(harness.key().await.unwrap(), key);
    }
}

#[tokio::test]
async fn loaded_keys_outlive_a_failing_provider_and_then_the_agent_is_unready() {
    let harness = harness(Some(3600));
    assert_eq!(harness.key().await.unwrap(), "AKIA0");
    harness.away.store(1, SeqCst);
    harness.time.store(3400, SeqCst);
    assert_eq!(harness.key().await.unwrap(), "AKIA0");
    assert_eq!(harness.key().await.unwrap(), "AKIA0");
    assert_eq!(harness.loads.load(SeqCst), 2, "a failing provider is not asked each time");
    assert!(harness.is_ready());
    harness.time.store(3600, SeqCst);
    assert_eq!(harness.key().await, Err(ErrorKind::Agent));
    assert!(!harness.is_ready());
    harness.away.store(0, SeqCst);
    assert!(harness.key().await.is_ok() && harness.is_ready());
}

fn keys(access_key_id: &str) -> SourceKeys {
    SourceKeys::new(access_key_id, "s", None, None, "test")
}

fn rejection(kind: ErrorKind) -> Result<(), ExchangeError> {
    Err(ExchangeError::new(kind, "Code", "why"))
}

#[tokio::test]
async fn keys_that_aws_rejects_are_dropped() {
    let harness = harness(Some(3600));
    assert_eq!(harness.key().await.unwrap(), "AKIA0");
    harness.source.record_result(&keys("AKIA-earlier"), &rejection(ErrorKind::Agent)).await;
    harness.source.record_result(&keys("AKIA0"), &rejection(ErrorKind::Role)).await;
    assert_eq!(harness.key().await.unwrap(), "AKIA0");
    harness.source.record_result(&keys("AKIA0"), &rejection(ErrorKind::Agent)).await;
    assert!(!harness.is_ready());
    assert_eq!(harness.key().await.unwrap(), "AKIA1");
    assert!(harness.is_ready());
}

#[tokio::test]
async fn the_same_key_loaded_again_leaves_the_agent_unready_until_aws_accepts_it() {
    let harness = harness(Some(3600));
    let again = async || {
        harness.loads.store(0, SeqCst);
        assert_eq!(harness.key().await.unwrap(), "AKIA0");
    };
    again().await;
    harness.source.record_result(&keys("AKIA0"), &rejection(ErrorKind::Agent)).await;
    again().await;
    harness.time.store(299, SeqCst);
    again().await;
    assert!(!harness.is_ready(), "AWS rejected this key");
    harness.source.record_result(&keys("AKIA0"), &Ok(())).await;
    assert!(harness.is_ready(), "AWS accepts it now");
    harness.source.record_result(&keys("AKIA0"), &rejection(ErrorKind::Agent)).await;
    again().await;
    assert!(!harness.is_ready());
    // If no pod asks, no call can show whether AWS accepts it: the quarantine ends by itself.
    harness.time.store(600, SeqCst);
    again().await;
    assert!(harness.is_ready());
}

#[tokio::test]
async fn the_container_provider_is_never_asked() {
    let error = RefusedProvider.provide_credentials().await.unwrap_err();
    assert!(format!("{:?}", std::error::Error::source(&error)).contains("itself"), "{error:?}");
}
