//! Requests that are held back while AWS is away.

use std::time::Duration;

use tokio::{task::JoinSet, time::Instant};

use super::full_path::{World, world};

const UNAVAILABLE: &str = "ServiceUnavailable";

/// The status, and after how many milliseconds it came.
async fn timed(world: &World, token: &str) -> (u16, u128) {
    let begun = Instant::now();
    let (status, _) = world.ask(token).await;
    (status, begun.elapsed().as_millis())
}

#[tokio::test]
async fn a_request_succeeds_as_soon_as_aws_does() {
    let world = world().await;
    world.sts.fails_with(503, UNAVAILABLE);
    let sts = world.sts.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sts.works_again();
    });
    let (status, millis) = timed(&world, &world.token()).await;
    assert_eq!(status, 200);
    // The fourth attempt begins after 0.35 s.
    assert!((300..700).contains(&millis), "{millis} ms");
}

#[tokio::test]
async fn a_503_leaves_after_0_7_s_and_aws_was_asked_a_few_times() {
    let world = world().await;
    world.sts.fails_with(503, UNAVAILABLE);
    let token = world.token();
    let mut asked = JoinSet::new();
    let world = std::sync::Arc::new(world);
    for _ in 0..8 {
        let (world, token) = (std::sync::Arc::clone(&world), token.clone());
        asked.spawn(async move { timed(&world, &token).await });
    }
    for (status, millis) in asked.join_all().await {
        assert_eq!(status, 503);
        assert!((700..2000).contains(&millis), "{millis} ms");
    }
    // The SDK for STS makes up to three attempts for each of ours.
    assert!((4..=15).contains(&world.sts.calls()), "{} calls", world.sts.calls());
}

#[tokio::test]
async fn what_no_retry_changes_leaves_at_once() {
    let world = world().await;
    world.sts.fails_with(403, "AccessDenied");
    let (status, millis) = timed(&world, &world.token()).await;
    assert!(status == 403 && millis < 300, "{status} after {millis} ms");
    let (status, millis) = timed(&world, "a.b.c").await;
    assert!(status == 400 && millis < 300, "{status} after {millis} ms");
}

#[tokio::test]
async fn the_ninth_request_of_a_pod_is_not_held() {
    let world = std::sync::Arc::new(world().await);
    world.sts.fails_with(503, UNAVAILABLE);
    let token = world.token();
    let mut asked = JoinSet::new();
    for _ in 0..12 {
        let (world, token) = (std::sync::Arc::clone(&world), token.clone());
        asked.spawn(async move { timed(&world, &token).await });
    }
    let answers = asked.join_all().await;
    assert!(answers.iter().all(|(status, _)| *status == 503), "{answers:?}");
    let quick = answers.iter().filter(|(_, millis)| *millis < 500).count();
    assert_eq!(quick, 4, "{answers:?}");
}
