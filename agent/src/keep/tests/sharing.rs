//! Who shares a fetch, and who shares a failure.

use super::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("token-{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_share_one_fetch() {
    let bench = bench(|_, _, now| an_hour(now));
    for got in join_all(names(64).iter().map(|name| bench.get(name))).await {
        assert!(got.is_ok());
    }
    assert_eq!(bench.calls(), 1);
    assert!(bench.get("token-0").await.is_ok());
    assert_eq!((bench.calls(), bench.keep.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_shared_and_remembered_for_2_s_doubling() {
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
async fn a_transient_fault_is_shared_by_its_flight_alone() {
    for error in [ErrorKind::Transient, ErrorKind::Ours] {
        let bench = bench(move |call, _, now| if call == 1 { fail(error) } else { an_hour(now) });
        for got in join_all((0..64).map(|_| bench.get("a"))).await {
            assert_eq!(got.err().map(|error| error.kind), Some(error));
        }
        assert_eq!(bench.calls(), 1);
        assert!(bench.get("a").await.is_ok(), "the next flight is another");
    }
}

fn bad_only(_: usize, token: &str, now: Timestamp) -> Answer {
    if token == "bad" { fail(ErrorKind::Token) } else { an_hour(now) }
}

#[tokio::test(start_paused = true)]
async fn a_bad_token_poisons_nobody_else() {
    let bench = bench(bad_only);
    let good = names(63);
    let good = join_all(good.iter().map(|name| bench.get(name)));
    let (bad, good) = tokio::join!(bench.get("bad"), good);
    assert_eq!(bad.err().map(|error| error.kind), Some(ErrorKind::Token));
    assert!(good.iter().all(Result::is_ok));
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bad_token_is_remembered_for_itself() {
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
async fn two_tokens_that_fail_alike_hold_the_key() {
    let bench = bench(|_, _, _| fail(ErrorKind::Token));
    for got in join_all(names(64).iter().map(|name| bench.get(name))).await {
        assert!(got.is_err());
    }
    assert_eq!(bench.calls(), 2);
    assert!(bench.get("another").await.is_err());
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_cancels_nothing() {
    let bench = bench(|_, _, now| an_hour(now));
    let gone = timeout(Duration::from_millis(10), bench.get("a")).await;
    assert!(gone.is_err());
    sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    assert!(bench.get("a").await.is_ok());
    assert_eq!((bench.calls(), asked.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_breaks_is_not_waited_for_for_ever() {
    let bench = bench(|call, _, now| {
        assert!(call > 1, "a error of the exchange's own");
        an_hour(now)
    });
    let got = bench.get("a").await;
    assert_eq!(got.err().map(|error| error.kind), Some(ErrorKind::Transient));
    assert!(bench.get("a").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn credentials_at_their_end_are_no_credentials() {
    let bench = bench(|_, _, now| Ok(credentials(now + SignedDuration::from_secs(10))));
    let got = bench.get("a").await;
    assert_eq!(got.err().map(|error| error.kind), Some(ErrorKind::Transient));
}

#[tokio::test(start_paused = true)]
async fn each_part_of_the_key_tells_sessions_apart() {
    let bench = bench(|_, _, now| an_hour(now));
    let changes: [fn(&mut Key); 14] = [
        |_| (),
        |key| key.exchange = Kind::AssumeRole,
        |key| key.place = "elsewhere".into(),
        |key| key.session.hops[0] = hop("arn:aws:iam::111122223333:role/b"),
        |key| key.session.hops.push(hop("arn:aws:iam::111122223333:role/b")),
        |key| key.session.hops[0].external_id = Some("another".to_owned()),
        |key| key.session.hops[0].policy = Some("another".to_owned()),
        |key| key.session.tags.push(Tag { key: "a", value: "b".to_owned() }),
        |key| key.session.session_name = "another".parse().unwrap(),
        |key| key.session.hops[0].duration_seconds = Some(900),
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
async fn the_store_is_bounded() {
    let bench = bench(|_, _, now| an_hour(now));
    for n in 0..150 {
        let change = |key: &mut Key| key.service_account_uid = n.to_string();
        assert!(bench.get_changed(change).await.is_ok());
    }
    assert!(bench.keep.len() <= 100);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too() {
    let bench = bench(|_, _, now| {
        let token = Secret::new("x".repeat(10_000));
        Ok(Credentials { session_token: token, ..credentials(now + SignedDuration::from_hours(1)) })
    });
    for n in 0..30 {
        let change = |key: &mut Key| key.service_account_uid = n.to_string();
        assert!(bench.get_changed(change).await.is_ok());
        assert!(bench.keep.bytes() <= BOUNDS.bytes + 12_000, "{}", bench.keep.bytes());
    }
    assert!((10..20).contains(&bench.keep.len()), "{}", bench.keep.len());
    bench.keep.pod_gone("pod-uid");
    assert_eq!((bench.keep.len(), bench.keep.bytes()), (0, 0));
}
