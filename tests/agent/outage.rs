//! STS goes away at the worst moment, for as long as is promised.

use std::time::Duration;

use crate::world::{World, life_of, minutes};

/// From the instant before a refresh, for half of the session's life; three times over, because a
/// refresh is due at another share of life each time. The pod's token is good for the day.
#[tokio::test(start_paused = true)]
async fn half_a_session_without_sts_fails_no_request() {
    for _ in 0..3 {
        let world = World::start();
        let token = world.token(86_400);
        let first = world.served(&token).await;
        world.sts.breaks_at_the_next_call(life_of(30));
        let seen = world.pass(minutes(70), Duration::from_secs(5), &token).await;
        assert!(world.sts.refused() > 20, "it was tried again: {}", world.sts.refused());
        assert_eq!(seen.first(), Some(&first));
        assert_eq!(world.sts.calls(), seen.len(), "one call for each session");
        assert!((2..4).contains(&seen.len()), "{seen:?}");
    }
}

/// No pod asks while STS is unreachable; the first request after the outage succeeds.
#[tokio::test(start_paused = true)]
async fn an_outage_without_requests_ends_with_the_first_request() {
    let world = World::start();
    let token = world.token(86_400);
    world.served(&token).await;
    world.sts.breaks_at_the_next_call(life_of(40));
    tokio::time::sleep(minutes(100)).await;
    world.served(&token).await;
}

/// The last seconds still beat an error, and the error says what it is.
#[tokio::test(start_paused = true)]
async fn an_outage_that_is_longer_than_the_session_ends_in_503() {
    let world = World::start();
    let token = world.token(86_400);
    let first = world.served(&token).await;
    world.sts.breaks_at_the_next_call(life_of(120));
    let left = first.expires.duration_since(world.clock.now());
    let served = Duration::try_from(left).unwrap() - Duration::from_secs(15);
    assert_eq!(world.pass(served, Duration::from_secs(5), &token).await, [first]);
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (status, body) = world.ask(&token).await;
    assert_eq!((status, &body["code"]), (503, &"TryAgain".into()), "{body}");
}
