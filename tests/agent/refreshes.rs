//! Session after session: each in time, each with one call, and with a token that is good.

use std::time::Duration;

use tokio::time::sleep;

use crate::world::{World, minutes};

const REFRESHES: usize = 20;

/// As `podrole-sandbox --credential-life 60s` does it.
#[tokio::test(start_paused = true)]
async fn sessions_of_a_minute_are_renewed_twenty_times_with_a_call_each() {
    let world = World::with_life(Duration::from_secs(60));
    let token = world.token(3600);
    let mut seen = Vec::new();
    while seen.len() <= REFRESHES {
        for served in world.pass(minutes(1), Duration::from_millis(500), &token).await {
            if seen.last() != Some(&served) {
                seen.push(served);
            }
        }
    }
    assert_eq!(world.sts.calls(), seen.len(), "{seen:?}");
    for pair in seen.windows(2) {
        assert!(pair[0].expires < pair[1].expires, "{pair:?}");
    }
}

/// The kubelet replaces a token of 600 s after 480 s. Any valid token renews the hour's
/// session, even if another pod of the ServiceAccount sent it.
#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_now_and_then_keeps_an_hours_session_fresh_with_tokens_of_600_s() {
    let world = World::start();
    let mut sessions = 0;
    for round in 0..15 {
        let token = world.token(600);
        let seen = world.pass(Duration::from_secs(480), Duration::from_secs(30), &token).await;
        sessions = world.sts.calls();
        assert!(sessions <= 1 + round, "{seen:?}");
    }
    // Two hours, and a session each 21.6 to 28.8 minutes.
    assert!((5..=6).contains(&sessions), "{sessions}");
    assert_eq!(world.counted(r#"podrole_agent_refreshes_total{outcome="no_token"}"#), 0);
}

/// The pod asks once and then has what it needs: its token ends long before the refresh is due.
#[tokio::test(start_paused = true)]
async fn without_a_good_token_nothing_is_asked_until_a_request_brings_one() {
    let world = World::start();
    let first = world.served(&world.token(600)).await;
    sleep(minutes(35)).await;
    assert_eq!(world.sts.calls(), 1, "nothing is sent with a token that has ended");
    let waited = world.counted(r#"podrole_agent_refreshes_total{outcome="no_token"}"#);
    assert!(waited > 0, "and it is counted");
    let fresh = world.token(600);
    assert_eq!(world.served(&fresh).await, first, "the old ones are good");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.sts.calls(), 2, "that request's own token has fetched");
    assert!(world.served(&fresh).await.expires > first.expires);
    assert_eq!(world.sts.calls(), 2);
}
