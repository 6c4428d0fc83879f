//! When cached credentials and errors are forgotten.

use super::*;

impl Bench {
    async fn get_as(
        &self,
        pod: &str,
        version: u64,
    ) -> Result<Arc<CachedCredentials>, Arc<ExchangeError>> {
        let caller = Arc::new(Caller { pod_uid: pod.to_owned(), ..caller() });
        let request = CredentialRequest { token: &bearer(pod), caller: &caller, version };
        self.cache.get(&key(), request).await.map(|served| served.credentials)
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_removed_with_its_last_pod() {
    let bench = bench(|_, _, now| an_hour(now));
    for pod in ["one", "two", "one"] {
        assert!(bench.get_as(pod, 0).await.is_ok());
    }
    bench.cache.pod_gone("stranger");
    bench.cache.pod_gone("one");
    assert_eq!(bench.cache.len(), 1, "the other pod still uses it");
    assert!(bench.get_as("two", 0).await.is_ok());
    assert_eq!(bench.calls(), 1);
    bench.cache.pod_gone("two");
    assert_eq!(bench.cache.len(), 0);
    minutes(60).await;
    assert_eq!(bench.calls(), 1, "a removed entry is not refreshed");
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_deleted_pod_refreshes_nothing() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.get_as("one", 0).await.unwrap();
    // Expires at the same time as the first one, which stays the refresh token.
    bench.get_as("two", 0).await.unwrap();
    bench.cache.pod_gone("one");
    minutes(40).await;
    assert_eq!(bench.calls(), 1);
    bench.get_as("two", 0).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.calls(), 2, "the next request fetches with its own");
}

#[tokio::test(start_paused = true)]
async fn errors_are_forgotten_when_the_version_changes() {
    let bench = bench(|call, _, now| if call == 1 { fail(ErrorKind::Role) } else { an_hour(now) });
    assert!(bench.get_as("one", 1).await.is_err());
    assert!(bench.get_as("two", 1).await.is_err());
    assert_eq!(bench.calls(), 1);
    assert!(bench.get_as("one", 2).await.is_ok());
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn expiries_are_listed_by_service_account_soonest_first() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.get("a").await.unwrap();
    minutes(1).await;
    let other = |key: &mut CacheKey| key.service_account = "other/app".parse().unwrap();
    bench.get_changed(other).await.unwrap();
    let expiries = bench.cache.expiries(10);
    let names: Vec<_> = expiries.iter().map(|(account, _)| account.to_string()).collect();
    assert_eq!(names, ["shop/app", "other/app"]);
    assert_eq!(bench.cache.expiries(1).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_aws_throttles_refreshes_pause_and_valid_credentials_are_served() {
    let bench = bench(|call, _, now| match call {
        1 | 5.. => an_hour(now),
        _ => Err(ExchangeError::new(ErrorKind::Transient, "Throttling", "Rate exceeded")),
    });
    bench.get("a").await.unwrap();
    minutes(45).await;
    assert!(bench.get("a").await.is_ok());
    assert_eq!(bench.calls(), 5);
}

impl Bench {
    /// A request of the test's pod.
    async fn served(&self) -> Served {
        let caller = Arc::new(caller());
        let request = CredentialRequest { token: &bearer("a"), caller: &caller, version: 0 };
        self.cache.get(&key(), request).await.unwrap()
    }

    fn is_current(&self, served: &Served) -> bool {
        served.snapshot.as_ref().is_some_and(|it| it.credentials(self.clock.now()).is_some())
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_current_until_its_entry_changes() {
    let bench = bench(|_, _, now| an_hour(now));
    assert!(bench.served().await.snapshot.is_none(), "a request that waited gets none");
    let first = bench.served().await;
    minutes(20).await;
    assert!(bench.is_current(&first));
    minutes(10).await;
    assert_eq!(bench.calls(), 2);
    assert!(!bench.is_current(&first), "it was refreshed");
    let second = bench.served().await;
    assert!(bench.is_current(&second) && !Arc::ptr_eq(&first.credentials, &second.credentials));
    bench.cache.pod_gone("pod-uid");
    assert!(!bench.is_current(&second), "its last pod is gone");
    assert!(bench.served().await.snapshot.is_none());
    let third = bench.served().await;
    for n in 0..150 {
        let change = |key: &mut CacheKey| key.service_account_uid = n.to_string();
        assert!(bench.get_changed(change).await.is_ok());
    }
    assert!(!bench.is_current(&third), "it was evicted");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_does_not_keep_replaced_credentials_in_memory() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.served().await;
    let served = bench.served().await;
    let Served { credentials: old, snapshot, .. } = served;
    let replaced = Arc::downgrade(&old);
    drop(old);
    minutes(30).await;
    assert_eq!(bench.calls(), 2);
    assert!(snapshot.is_some() && replaced.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn each_pod_receives_each_key_for_the_first_time_once() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.served().await;
    let is_first = async || bench.served().await.is_first_for("pod-uid");
    assert!(is_first().await, "prefetched credentials count when they are served");
    assert!(!is_first().await);
    minutes(30).await;
    assert!(is_first().await, "it was refreshed");
    assert!(!is_first().await);
}
