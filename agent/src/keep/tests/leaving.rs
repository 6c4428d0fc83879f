//! What goes when its reason goes.

use super::*;

impl Bench {
    async fn get_as(&self, pod: &str, version: u64) -> Result<Arc<Kept>, Arc<ExchangeError>> {
        let caller = Arc::new(Caller { pod_uid: pod.to_owned(), ..caller() });
        let mut hash = [0; 32];
        hash[..pod.len()].copy_from_slice(pod.as_bytes());
        let presented = Presented { token: pod, hash, caller: &caller, version };
        self.keep.get(&key(), presented).await.map(|served| served.kept)
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_pod_that_goes_takes_the_entry_along() {
    let bench = bench(|_, _, now| an_hour(now));
    for pod in ["one", "two", "one"] {
        assert!(bench.get_as(pod, 0).await.is_ok());
    }
    bench.keep.pod_gone("stranger");
    bench.keep.pod_gone("one");
    assert_eq!(bench.keep.len(), 1, "the other pod is there still");
    assert!(bench.get_as("two", 0).await.is_ok());
    assert_eq!(bench.calls(), 1);
    bench.keep.pod_gone("two");
    assert_eq!(bench.keep.len(), 0);
    minutes(60).await;
    assert_eq!(bench.calls(), 1, "and nobody refreshes what nobody has");
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_pod_that_is_gone_refreshes_nothing() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.get_as("one", 0).await.unwrap();
    // The same life as the first, so the first stays the best.
    bench.get_as("two", 0).await.unwrap();
    bench.keep.pod_gone("one");
    minutes(40).await;
    assert_eq!(bench.calls(), 1);
    bench.get_as("two", 0).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.calls(), 2, "the next request brings its own");
}

#[tokio::test(start_paused = true)]
async fn denials_are_forgotten_when_the_cluster_says_something_else() {
    let bench = bench(|call, _, now| if call == 1 { fail(ErrorKind::Role) } else { an_hour(now) });
    assert!(bench.get_as("one", 1).await.is_err());
    assert!(bench.get_as("two", 1).await.is_err());
    assert_eq!(bench.calls(), 1);
    assert!(bench.get_as("one", 2).await.is_ok());
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_ends_are_told_by_service_account_soonest_first() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.get("a").await.unwrap();
    minutes(1).await;
    let other = |key: &mut Key| key.service_account = "other/app".parse().unwrap();
    bench.get_changed(other).await.unwrap();
    let ends = bench.keep.ends(10);
    let names: Vec<_> = ends.iter().map(|(account, _)| account.to_string()).collect();
    assert_eq!(names, ["shop/app", "other/app"]);
    assert_eq!(bench.keep.ends(1).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_aws_throttles_refreshes_wait_and_what_is_valid_is_served() {
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
    /// What the pod that has the good token is served.
    async fn served(&self) -> Served {
        let caller = Arc::new(caller());
        let presented = Presented { token: "a", hash: [0; 32], caller: &caller, version: 0 };
        self.keep.get(&key(), presented).await.unwrap()
    }

    fn stands(&self, served: &Served) -> bool {
        served.again.as_ref().is_some_and(|again| again.kept(self.clock.now()).is_some())
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_stands_until_its_session_changes() {
    let bench = bench(|_, _, now| an_hour(now));
    assert!(bench.served().await.again.is_none(), "who waited asks once more");
    let first = bench.served().await;
    minutes(20).await;
    assert!(bench.stands(&first));
    minutes(10).await;
    assert_eq!(bench.calls(), 2);
    assert!(!bench.stands(&first), "it was refreshed");
    let second = bench.served().await;
    assert!(bench.stands(&second) && !Arc::ptr_eq(&first.kept, &second.kept));
    bench.keep.pod_gone("pod-uid");
    assert!(!bench.stands(&second), "its last pod is gone");
    assert!(bench.served().await.again.is_none());
    let third = bench.served().await;
    for n in 0..150 {
        let change = |key: &mut Key| key.service_account_uid = n.to_string();
        assert!(bench.get_changed(change).await.is_ok());
    }
    assert!(!bench.stands(&third), "it was put out of the store");
}

#[tokio::test(start_paused = true)]
async fn nobody_keeps_what_was_replaced() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.served().await;
    let served = bench.served().await;
    let Served { kept: old, again, .. } = served;
    let kept = Arc::downgrade(&old);
    drop(old);
    minutes(30).await;
    assert_eq!(bench.calls(), 2);
    assert!(again.is_some() && kept.upgrade().is_none(), "only a memory of it is left");
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_told_of_once_for_each_key() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.served().await;
    let is_news = async || bench.served().await.is_news("pod-uid");
    assert!(is_news().await, "what is fetched ahead is told of when it is asked for");
    assert!(!is_news().await);
    minutes(30).await;
    assert!(is_news().await, "it was refreshed");
    assert!(!is_news().await);
}
