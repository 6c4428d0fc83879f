//! Association, ServiceAccount and pod are applied in one file, in any order: the pod is served, and no SDK gets "no role"
//! meanwhile.

use futures::future::try_join_all;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::stage::Stage;

const ROUNDS: usize = 50;

/// Applies the three, and asks from the moment on when there is a pod to ask.
async fn round(stage: &Stage, number: usize) -> anyhow::Result<Duration> {
    let name = format!("app-{number}");
    let associate = async |when: usize| {
        if number % 3 == when {
            stage.associate(&name, "one", &json!({})).await?;
        }
        anyhow::Ok(())
    };
    associate(0).await?;
    stage.namespace.service_account(&name, &[]).await?;
    associate(1).await?;
    let token = stage.pod(&name).await?;
    let served = async {
        let begun = Instant::now();
        loop {
            let (status, body) = stage.ask(&token).await?;
            match status {
                200 => return Ok(begun.elapsed()),
                503 => sleep(Duration::from_millis(100)).await,
                _ => anyhow::bail!("round {number}: {status} {body}"),
            }
            anyhow::ensure!(begun.elapsed() < Duration::from_secs(10), "round {number}: {body}");
        }
    };
    let late = async {
        sleep(Duration::from_millis(20 * (number as u64 % 10))).await;
        associate(2).await
    };
    let (took, _) = tokio::try_join!(served, late)?;
    Ok(took)
}

#[tokio::test]
async fn what_is_applied_in_any_order_is_served_50_times() {
    let stage = Stage::start("orders").await.unwrap();
    let mut longest = Duration::ZERO;
    for first in (0..ROUNDS).step_by(10) {
        let rounds = (first..first + 10).map(|number| round(&stage, number));
        let took = try_join_all(rounds).await;
        let took = took.unwrap_or_else(|error| panic!("{error:#}\n{}", stage.agent.log()));
        longest = took.into_iter().fold(longest, Duration::max);
    }
    println!("{ROUNDS} pods served, the last after {longest:?}");
}
