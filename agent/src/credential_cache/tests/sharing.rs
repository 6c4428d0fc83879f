//! Which requests share a fetch, and which share an error.

use super::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("token-{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_share_one_fetch() {
    let bench = bench(|_, _, now| an_hour(now));
    for got in join_all(names(64).iter().map(|name| bench.get(name))).await {
        assert!(got.is_ok());
    }
    assert_eq!(bench.calls(), 1);
    assert!(bench.get("token-0").await.is_ok());
    assert_eq!((bench.calls(), bench.cache.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_shared_and_remembered_for_2_s_then_twice_as_long() {
    let bench = bench(|_, _, _| fail(ErrorKind::Role));
    for got in join_all(names(64).iter().map(|name| bench.get(name))).await {
        assert_eq!(got.err().map(|error| error.kind), Some(ErrorKind::Role));
    }
    assert_eq!(bench.calls(), 1);
    for (after, calls) in [(1900, 1), (200, 2), (3900, 2), (200, 3), (7800, 3), (300, 4)] {
        sleep(Duration::from_millis(after)).await;
        assert!(bench.get("token-0").await.is_err());
        assert_eq!(bench.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_transient_error_is_remembered_for_50_ms_and_each_time_twice_as_long() {
    for error in [ErrorKind::Transient, ErrorKind::Agent] {
        let bench = bench(move |_, _, _| fail(error));
        for (after, calls) in [
            (0, 1),
            (40, 1),
            (20, 2),
            (90, 2),
            (20, 3),
            (190, 3),
            (20, 4),
            (390, 4),
            (20, 5),
            (390, 5),
            (20, 6),
        ] {
            sleep(Duration::from_millis(after)).await;
            let got = bench.get("a").await;
            assert_eq!(got.err().map(|error| error.kind), Some(error));
            assert_eq!(bench.calls(), calls);
        }
        sleep(Duration::from_secs(3)).await;
        assert!(bench.get("a").await.is_err());
        sleep(Duration::from_millis(60)).await;
        assert!(bench.get("a").await.is_err());
        assert_eq!(bench.calls(), 8, "after a pause the first is brief again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transient_error_is_shared_by_those_who_wait_and_by_the_next() {
    for error in [ErrorKind::Transient, ErrorKind::Agent] {
        let bench = bench(move |call, _, now| if call == 1 { fail(error) } else { an_hour(now) });
        for got in join_all((0..64).map(|_| bench.get("a"))).await {
            assert_eq!(got.err().map(|error| error.kind), Some(error));
        }
        assert!(bench.get("a").await.is_err());
        assert_eq!(bench.calls(), 1);
        sleep(Duration::from_millis(50)).await;
        assert!(bench.get("a").await.is_ok(), "the next request fetches again");
    }
}

fn bad_only(_: usize, token: &str, now: Timestamp) -> Fetched {
    if token == "bad" { fail(ErrorKind::Token) } else { an_hour(now) }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_does_not_affect_other_tokens() {
    let bench = bench(bad_only);
    let good = names(63);
    let good = join_all(good.iter().map(|name| bench.get(name)));
    let (bad, good) = tokio::join!(bench.get("bad"), good);
    assert_eq!(bad.err().map(|error| error.kind), Some(ErrorKind::Token));
    assert!(good.iter().all(Result::is_ok));
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_remembered() {
    let bench = bench(bad_only);
    assert!(bench.get("bad").await.is_err());
    assert!(bench.get("bad").await.is_err());
    assert_eq!(bench.calls(), 1);
    sleep(Duration::from_secs(2)).await;
    assert!(bench.get("bad").await.is_err());
    assert_eq!(bench.calls(), 2);
    assert!(bench.get("good").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn two_tokens_with_the_same_error_block_the_key() {
    let bench = bench(|_, _, _| fail(ErrorKind::Token));
    for got in join_all(names(64).iter().map(|name| bench.get(name))).await {
        assert!(got.is_err());
    }
    assert_eq!(bench.calls(), 2);
    assert!(bench.get("another").await.is_err());
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_up_does_not_cancel_the_fetch() {
    let bench = bench(|_, _, now| an_hour(now));
    let gone = timeout(Duration::from_millis(10), bench.get("a")).await;
    assert!(gone.is_err());
    sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    assert!(bench.get("a").await.is_ok());
    assert_eq!((bench.calls(), asked.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn requests_do_not_wait_for_a_fetch_that_panicked() {
    let bench = bench(|call, _, now| {
        assert!(call > 1, "the exchange panics");
        an_hour(now)
    });
    let got = bench.get("a").await;
    assert_eq!(got.err().map(|error| error.kind), Some(ErrorKind::Transient));
    assert!(bench.get("a").await.is_ok(), "nothing was recorded");
}

#[tokio::test(start_paused = true)]
async fn credentials_about_to_expire_are_an_error() {
    let bench = bench(|_, _, now| Ok(credentials(now + SignedDuration::from_secs(10))));
    let got = bench.get("a").await;
    assert_eq!(got.err().map(|error| error.kind), Some(ErrorKind::Transient));
}

#[tokio::test(start_paused = true)]
async fn each_part_of_the_key_distinguishes_sessions() {
    let bench = bench(|_, _, now| an_hour(now));
    let changes: [fn(&mut CacheKey); 14] = [
        |_| (),
        |key| key.exchange = Exchange::AssumeRole,
        |key| key.endpoint = "elsewhere".into(),
        |key| key.session.steps[0] = step("arn:aws:iam::111122223333:role/b"),
        |key| key.session.steps.push(step("arn:aws:iam::111122223333:role/b")),
        |key| key.session.steps[0].external_id = Some("another".to_owned()),
        |key| key.session.steps[0].policy = Some("another".to_owned()),
        |key| key.session.tags.push(Tag { key: "a", value: "b".to_owned() }),
        |key| key.session.session_name = "another".parse().unwrap(),
        |key| key.session.steps[0].duration_seconds = Some(900),
        |key| key.service_account = "other/app".parse().unwrap(),
        |key| key.service_account_uid = "another".to_owned(),
        |key| key.audiences.push("another".to_owned()),
        |key| key.pod_uid = Some("pod".to_owned()),
    ];
    for change in changes {
        assert!(bench.get_changed(change).await.is_ok());
    }
    assert_eq!(bench.calls(), 14);
}

#[tokio::test(start_paused = true)]
async fn entries_are_bounded() {
    let bench = bench(|_, _, now| an_hour(now));
    for n in 0..150 {
        let change = |key: &mut CacheKey| key.service_account_uid = n.to_string();
        assert!(bench.get_changed(change).await.is_ok());
    }
    assert!(bench.cache.len() <= 100);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded() {
    let bench = bench(|_, _, now| {
        let token = crate::secret::Secret::new("x".repeat(10_000));
        Ok(Credentials { session_token: token, ..credentials(now + SignedDuration::from_hours(1)) })
    });
    for n in 0..30 {
        let change = |key: &mut CacheKey| key.service_account_uid = n.to_string();
        assert!(bench.get_changed(change).await.is_ok());
        assert!(bench.cache.bytes() <= BOUNDS.bytes + 12_000, "{}", bench.cache.bytes());
    }
    assert!((10..20).contains(&bench.cache.len()), "{}", bench.cache.len());
    bench.cache.pod_gone("pod-uid");
    assert_eq!((bench.cache.len(), bench.cache.bytes()), (0, 0));
}
