//! Nodes whose clocks are wrong by hours. STS has the right time here, and says it in its answers.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::gauge::Gauge;

use super::{
    fixture::{RSA, claims_from, rules},
    full_path::{World, world_at},
};
use crate::{
    aws_clock::AwsClock,
    clock::Clock,
    exchange::{sts::Endpoint, web_identity::WebIdentity},
    http_client::HttpClients,
};

/// A node whose clock is `ahead` of the right time, and later jumps by what is added to the number.
async fn node(ahead: i64) -> (World, Clock, Arc<AtomicI64>) {
    let jumped = Arc::<AtomicI64>::default();
    let jumps = Arc::clone(&jumped);
    let clock = Clock::new(move || {
        podrole_runtime::clock::now() + SignedDuration::from_secs(ahead + jumps.load(SeqCst))
    });
    let (node, aws_clock) = (clock.clone(), AwsClock::new(clock.clone(), Gauge::default()));
    let world = world_at(
        node,
        |sts| {
            let endpoint = Endpoint {
                region: "eu-central-1".to_owned(),
                endpoint_url: Some(sts.url().to_owned()),
                ..Endpoint::default()
            };
            Arc::new(WebIdentity::at(&endpoint, &HttpClients::default().with_clock(aws_clock)))
        },
        rules(),
        |_| (),
    );
    (world.await, clock, jumped)
}

/// A token that the API server made a moment ago by the right time, for a day.
fn token() -> String {
    let now = podrole_runtime::clock::now().as_second();
    let mut claims = claims_from(now);
    claims["exp"] = (now + 86_400).into();
    RSA.token("RS256", &claims)
}

#[tokio::test]
async fn a_session_ends_an_hour_from_now_by_the_nodes_clock() {
    for hours in [-3, 2] {
        let (world, clock, _) = node(hours * 3600).await;
        let (status, body) = world.ask(&token()).await;
        assert_eq!(status, 200, "{hours} h: {body}");
        let expires: Timestamp = body["Expiration"].as_str().unwrap().parse().unwrap();
        let left = expires.duration_since(clock.now()).as_secs();
        assert!((3580..=3602).contains(&left), "{hours} h: it ends in {left} s");
    }
}

/// What was translated to a clock that was ahead ends too late by the right one.
#[tokio::test]
async fn a_session_is_fetched_anew_when_the_clock_was_set_back() {
    let (world, _, jumped) = node(2 * 3600).await;
    let token = token();
    for (hours, calls) in [(0, 1), (0, 1), (-2, 2)] {
        jumped.fetch_add(hours * 3600, SeqCst);
        assert_eq!(world.ask(&token).await.0, 200);
        assert_eq!(world.sts.calls(), calls, "{hours} h");
    }
}

/// The fast path and the cache compare times of the node's clock, whatever AWS's shows.
#[tokio::test]
async fn a_session_is_fetched_anew_when_it_has_ended() {
    for hours in [-3, 2] {
        let (world, _, jumped) = node(hours * 3600).await;
        let token = token();
        for (minutes, calls) in [(0, 1), (0, 1), (59, 2)] {
            // Time goes by on the node; STS stays, and so is further behind.
            jumped.fetch_add(minutes * 60, SeqCst);
            assert_eq!(world.ask(&token).await.0, 200, "{hours} h");
            for _ in 0..50 {
                if world.sts.calls() == calls {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            assert_eq!(world.sts.calls(), calls, "{hours} h, {minutes} min later");
        }
    }
}
