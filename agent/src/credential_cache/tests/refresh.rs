//! Refreshes over hours, on a paused clock.

use super::*;

#[tokio::test(start_paused = true)]
async fn used_credentials_are_refreshed_before_they_expire() {
    let bench = bench(|_, _, now| an_hour(now));
    let first = bench.get("a").await.unwrap();
    minutes(21).await;
    assert_eq!(bench.calls(), 1, "36 % is at 21.6 minutes");
    minutes(9).await;
    assert_eq!(bench.calls(), 2, "48 % is at 28.8 minutes");
    let second = bench.get("a").await.unwrap();
    assert!(second.expires > first.expires);
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn unused_credentials_are_not_refreshed_again() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.get("a").await.unwrap();
    minutes(30).await;
    assert_eq!(bench.calls(), 2);
    minutes(600).await;
    assert_eq!((bench.calls(), bench.cache.len()), (2, 0));
    assert!(bench.get("a").await.is_ok());
    minutes(30).await;
    assert_eq!(bench.calls(), 4, "used again, they are refreshed again");
}

fn once_and_then(kind: ErrorKind) -> impl Fn(usize, &str, Timestamp) -> Fetched {
    move |call, _, now| if call == 1 { an_hour(now) } else { fail(kind) }
}

#[tokio::test(start_paused = true)]
async fn valid_credentials_are_served_through_an_outage_until_10_s_before_expiry() {
    let bench = bench(once_and_then(ErrorKind::Transient));
    let expires = bench.get("a").await.unwrap().expires;
    minutes(59).await;
    assert!(bench.get("a").await.is_ok());
    let calls = bench.calls();
    assert!((20..60).contains(&calls), "the refresh is retried: {calls}");
    let left = expires.duration_since(bench.clock.now());
    sleep(Duration::try_from(left).unwrap() - Duration::from_secs(12)).await;
    assert!(bench.get("a").await.is_ok());
    sleep(Duration::from_secs(2)).await;
    assert!(bench.get("a").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_refresh_succeeds() {
    let bench = bench(|call, _, now| match call {
        2..8 => fail(ErrorKind::Transient),
        _ => an_hour(now),
    });
    let first = bench.get("a").await.unwrap();
    minutes(40).await;
    assert_eq!(bench.calls(), 8);
    assert!(bench.get("a").await.unwrap().expires > first.expires);
}

#[tokio::test(start_paused = true)]
async fn a_refused_refresh_is_retried_after_30_s_before_credentials_are_withdrawn() {
    let bench = bench(once_and_then(ErrorKind::Role));
    bench.get("a").await.unwrap();
    while bench.calls() < 2 {
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(28)).await;
    assert!(bench.get("a").await.is_ok(), "the first refusal withdraws nothing");
    assert_eq!(bench.calls(), 2);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(bench.calls(), 3);
    let got = bench.get("a").await;
    assert_eq!(got.err().map(|error| error.kind), Some(ErrorKind::Role));
    assert_eq!(bench.calls(), 3, "the error is remembered");
}

#[tokio::test(start_paused = true)]
async fn credentials_survive_a_single_refusal() {
    let bench = bench(|call, _, now| if call == 2 { fail(ErrorKind::Role) } else { an_hour(now) });
    bench.get("a").await.unwrap();
    minutes(35).await;
    assert!(bench.get("a").await.is_ok());
    assert_eq!(bench.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_token_that_expires_last_refreshes() {
    let bench = bench(|call, token, now| {
        let right = call == 1 || token == "long";
        if right { an_hour(now) } else { fail(ErrorKind::Role) }
    });
    bench.get_with("short", 600).await.unwrap();
    let first = bench.get_with("long", 9000).await.unwrap();
    bench.get_with("middle", 3000).await.unwrap();
    minutes(30).await;
    assert!(bench.get("another").await.unwrap().expires > first.expires);
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_valid_token_there_is_no_refresh_until_a_request_brings_one() {
    let bench = bench(|_, _, now| an_hour(now));
    let first = bench.get_with("short", 600).await.unwrap();
    minutes(40).await;
    assert_eq!(bench.calls(), 1);
    let served = bench.get("fresh").await.unwrap();
    assert_eq!(served.expires, first.expires, "the cached ones are served meanwhile");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.calls(), 2);
    assert!(bench.get("fresh").await.unwrap().expires > first.expires);
}

#[tokio::test(start_paused = true)]
async fn the_token_of_an_ended_pod_refreshes_nothing() {
    let bench = bench(|_, _, now| an_hour(now));
    bench.get("a").await.unwrap();
    bench.pods.remove("pod-uid");
    minutes(50).await;
    assert_eq!(bench.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn near_their_expiry_a_request_waits_for_newer_credentials() {
    let bench = bench(|_, _, now| an_hour(now));
    let first = bench.get_with("short", 600).await.unwrap();
    minutes(50).await;
    let newer = bench.get("fresh").await.unwrap();
    assert!(newer.expires > first.expires);
}

#[tokio::test(start_paused = true)]
async fn a_token_error_at_a_refresh_withdraws_nothing() {
    let bench = bench(|_, token, now| match token {
        "later-bad" if now > at(60) => fail(ErrorKind::Token),
        _ => an_hour(now),
    });
    bench.get("later-bad").await.unwrap();
    minutes(35).await;
    assert!(bench.get("later-bad").await.is_ok());
    let calls = bench.calls();
    assert!((2..6).contains(&calls), "a rejected token is not sent at each refresh: {calls}");
    assert!(bench.get("good").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn if_no_token_is_sent_none_is_kept_and_an_expired_one_refreshes() {
    let bench = bench_of(false, |_, token, now| {
        assert!(token.is_empty());
        an_hour(now)
    });
    let first = bench.get_with("short", 600).await.unwrap();
    minutes(40).await;
    assert_eq!(bench.calls(), 2);
    assert!(bench.get_with("short", 9000).await.unwrap().expires > first.expires);
}
