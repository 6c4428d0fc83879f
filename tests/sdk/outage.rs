//! What SDKs see of an STS that refuses, throttles, fails or dawdles behind the agent.

use std::time::Duration;

use crate::{
    client::{CALLER, Sdk},
    gate::Fault,
    life::was_signed,
    rows::{SLOW, ask, row, served},
    stage::{STRANGER, Stage, Way},
    table::Outcome,
    wire,
};

const THROTTLED: Fault = Fault::Answer(400, "Throttling");
const UNAVAILABLE: Fault = Fault::Answer(503, "ServiceUnavailable");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_denial_is_quick_and_asks_aws_once() {
    row("A10 a denial", async |sdk, stage| denied(sdk, stage).await).await;
}

async fn denied(sdk: Sdk, stage: &Stage) -> anyhow::Result<Outcome> {
    let pod = stage.pod(Way::Container, &stage.token(STRANGER)?)?;
    let used = sdk.once(&CALLER, &pod.variables).await?;
    let (asked, sts) = (stage.agent.requests(), stage.sts.requests());
    let message = used.error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
    // These two show the body; the others' users have the log and the metrics.
    let shown = !matches!(sdk, Sdk::Python | Sdk::Go) || message.contains("in its trust policy");
    // A denial is remembered for 2 s, and SDKs that try again do so over 3; on an idle machine
    // that is all it takes.
    let right = used.error.is_some() && shown && asked <= 10 && sts <= 2 && used.ms < 5000;
    Ok(Outcome::of(right, || format!("{used:?}; the agent was asked {asked}, STS {sts} times")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a11_throttling_is_not_seen_with_a_full_cache() {
    row("A11 throttled, known to the agent", async |sdk, stage| {
        let warm = ask(sdk, stage).await?;
        stage.sts.spoil_all(THROTTLED);
        let used = ask(sdk, stage).await?;
        anyhow::ensure!(warm.error.is_none(), "{warm:?}");
        Ok(served(&used, stage, 2, 1))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a11_throttling_is_waited_for_with_an_empty_cache() {
    row("A11 throttled, new to the agent", async |sdk, stage| {
        // As many tries as one fetch makes. Most requests are held until the next one; a fetch whose
        // own tries take long leaves no time for another.
        stage.sts.spoil(3, THROTTLED);
        let used = ask(sdk, stage).await?;
        let statuses: Vec<_> = stage.agent.answered().iter().map(|it| it.status).collect();
        let right =
            used.arn == Some(Way::Container.arn()) && (statuses == [200] || statuses == [503, 200]);
        Ok(Outcome::of(right, || format!("{used:?} {statuses:?}")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a12_one_or_two_failures_are_hidden_by_the_agent() {
    for times in [1, 2] {
        row(&format!("A12 STS fails {times} time(s)"), async |sdk, stage| {
            stage.sts.spoil(times, UNAVAILABLE);
            Ok(served(&ask(sdk, stage).await?, stage, 1, times + 1))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a12_sts_may_be_away_at_the_first_request() {
    for away in [300, 1000, 1500] {
        row(&format!("A12 STS away for {away} ms"), async |sdk, stage| {
            let time = Duration::from_millis(away);
            stage.sts.spoil_for(time, UNAVAILABLE);
            let used = ask(sdk, stage).await?;
            let requests = stage.agent.requests();
            let right = used.arn == Some(Way::Container.arn());
            Ok(Outcome::of(right, || format!("{used:?} after {requests} requests")))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a13_a_slow_sts_is_waited_for() {
    row("A13 STS takes 0.5 s", async |sdk, stage| {
        stage.sts.spoil(1, Fault::Late(Duration::from_millis(500)));
        Ok(served(&ask(sdk, stage).await?, stage, 1, 1))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a13_a_slower_sts_is_asked_once_while_the_sdk_asks_again() {
    row("A13 STS takes 1.5 s", async |sdk, stage| {
        stage.sts.spoil(1, Fault::Late(SLOW));
        let used = ask(sdk, stage).await?;
        let mut statuses: Vec<_> = stage.agent.answered().iter().map(|it| it.status).collect();
        let last = statuses.pop();
        let waited = !statuses.is_empty() && statuses.iter().all(|status| *status == 503);
        let right = used.arn == Some(Way::Container.arn()) && last == Some(200) && waited;
        let asked = stage.sts.requests();
        Ok(Outcome::of(right && asked == 1, || format!("{used:?} {statuses:?} {last:?} {asked}")))
    })
    .await;
}

/// The API server and STS have the right time, and the node, its agent and the SDK another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a26_a_nodes_clock_may_be_wrong_by_hours() {
    for (name, ahead) in [("3 h behind", 3 * 3600), ("2 h ahead", -2 * 3600)] {
        row(&format!("A26 a node {name}"), async |sdk, stage| {
            stage.sts.spoil_all(Fault::Ahead(ahead));
            let pod = stage.pod(Way::Container, &stage.token_of_another_clock(ahead)?)?;
            let used = sdk.once(&CALLER, &pod.variables).await?;
            let (asked, sts) = (stage.agent.requests(), stage.sts.requests());
            // Go's first SDK asks again for what STS calls expired.
            let right = was_signed(&used, ahead) && asked >= 1 && sts == 1;
            Ok(Outcome::of(right, || {
                format!("{used:?}; the agent was asked {asked}, STS {sts} times")
            }))
        })
        .await;
    }
}

/// A thousand at once, and nothing of them is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_a_stalled_sts_blocks_no_caller() {
    let stage = Stage::start().await.unwrap();
    let token = stage.token(crate::stage::APP).unwrap();
    stage.sts.spoil_all(Fault::Stalled);
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let asked = (0..1000).map(|_| wire::get(stage.agent_address, &token));
    let answers = futures::future::try_join_all(asked).await.unwrap();
    for answer in &answers {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.took < Duration::from_secs(3), "{answer:?}");
    }
    assert_eq!(stage.sts.requests(), 1, "one fetch for all waiting callers");
    // What is left: that fetch, its connection's two ends, and the tasks that watch them.
    let metrics = tokio::runtime::Handle::current().metrics();
    for _ in 0..100 {
        if metrics.num_alive_tasks() < before + 10 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} tasks are left, and {before} were there before", metrics.num_alive_tasks());
}
