//! Sessions near their end, and tokens that change: what SDKs do with what the agent has left.

use std::{fs, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    client::{CALLER, Sdk, Use},
    gate::Fault,
    rows::row_of,
    stage::{APP, Plan, Stage, Way},
    table::Outcome,
    wire,
};

const AWAY: Fault = Fault::Answer(503, "ServiceUnavailable");

fn with_life(seconds: u64) -> Plan {
    Plan { life: Duration::from_secs(seconds), ..Plan::default() }
}

/// How long an hour's session lasts yet after 20 minutes and an outage of 30. That the agent has
/// it still is shown elsewhere, on a clock that jumps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a15_an_outage_of_half_an_hour_is_not_seen() {
    row_of("A15 STS away, 10 min left", with_life(600), async |sdk, stage| {
        outlives(sdk, stage).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a16_what_is_left_is_served_while_sts_is_away() {
    for minutes in [12, 8, 3] {
        row_of(
            &format!("A16 STS away, {minutes} min left"),
            with_life(60 * minutes),
            async |sdk, stage| outlives(sdk, stage).await,
        )
        .await;
    }
}

/// The agent has credentials, and STS goes: new and running programs are served.
async fn outlives(sdk: Sdk, stage: &Stage) -> anyhow::Result<Outcome> {
    let warm = wire::get(stage.agent_address, &stage.token(APP)?).await?;
    anyhow::ensure!(warm.status == 200, "{warm:?}");
    stage.agent.answered();
    stage.sts.spoil_all(AWAY);
    let pod = stage.pod(Way::Container, &stage.token(APP)?)?;
    let mut running = sdk.start(&CALLER, &pod.variables)?;
    let mut used: Vec<Use> = vec![running.answer().await?];
    for _ in 0..3 {
        used.push(running.again().await?);
    }
    let statuses: Vec<_> = stage.agent.answered().iter().map(|it| it.status).collect();
    let right = used.iter().all(|it| it.arn == Some(Way::Container.arn()))
        && statuses.iter().all(|status| *status == 200);
    Ok(Outcome::of(right, || format!("{used:?} {statuses:?}")))
}

/// 550 pods ask at once and again; what an answer takes is measured by `bench/agent`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a24_a_storm_of_polls_is_answered_from_memory() {
    let stage = Stage::start().await.unwrap();
    let token = stage.token(APP).unwrap();
    assert_eq!(wire::get(stage.agent_address, &token).await.unwrap().status, 200);
    stage.sts.spoil_all(Fault::Stalled);
    assert_eq!(stage.sts.requests(), 1);
    for _ in 0..3 {
        let asked = (0..550).map(|_| wire::get(stage.agent_address, &token));
        for answer in futures::future::try_join_all(asked).await.unwrap() {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    assert_eq!(stage.sts.requests(), 0, "AWS hears nothing of it");
}

/// AWS has the right time, and the node, its agent and the SDK another: a program that runs on is served
/// through one session and the next. Their 16 s stand for an hour; the agent serves none in its last 10 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a26_two_sessions_on_a_node_whose_clock_is_wrong_by_hours() {
    for (name, ahead) in [("3 h behind", 3 * 3600), ("2 h ahead", -2 * 3600)] {
        row_of(&format!("A26 two sessions, {name}"), with_life(16), async |sdk, stage| {
            stage.sts.spoil_all(Fault::Ahead(ahead));
            let pod = stage.pod(Way::Container, &stage.token_of_another_clock(ahead)?)?;
            let mut running = sdk.start(&CALLER, &pod.variables)?;
            let (mut used, begun) = (running.answer().await?, Instant::now());
            while begun.elapsed() < Duration::from_secs(10) && was_signed(&used, ahead) {
                sleep(Duration::from_secs(1)).await;
                used = running.again().await?;
            }
            let sessions = stage.sts.requests();
            let right = was_signed(&used, ahead) && sessions >= 2;
            Ok(Outcome::of(right, || format!("{used:?} after {sessions} sessions")))
        })
        .await;
    }
}

/// Whether the SDK signed its call. GetCallerIdentity has the node's clock here: by one that is ahead the
/// session has ended, and STS says so.
pub(crate) fn was_signed(used: &Use, ahead: i64) -> bool {
    let error = used.error.as_ref();
    let code = error.map(|error| error.code.clone().unwrap_or_else(|| error.message.clone()));
    used.arn == Some(Way::Container.arn())
        || ahead < 0 && code.is_some_and(|code| code.contains("ExpiredToken"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w09_the_next_refresh_sends_the_token_that_is_then_on_disk() {
    row_of("W9 a rotated token", with_life(6), async |sdk, stage| {
        let pod = stage.pod(Way::WebIdentity, &stage.token(APP)?)?;
        let mut running = sdk.start(&CALLER, &pod.variables)?;
        let first = running.answer().await?;
        let newer = stage.token(APP)?;
        fs::write(&pod.token_file, &newer)?;
        // Some refresh at the end, some in the background: then it is a later use's.
        let begun = Instant::now();
        let mut later = running.again().await?;
        let is_new = |later: &Use| stage.sts.saw(&newer) && later.arn.is_some();
        while !is_new(&later) && begun.elapsed() < Duration::from_secs(40) {
            sleep(Duration::from_millis(300)).await;
            later = running.again().await?;
        }
        let right = is_new(&later);
        Ok(Outcome::of(right, || format!("{first:?} {later:?}")))
    })
    .await;
}

/// The kubelet writes no newline. A header cannot hold one, so these SDKs do not send such a token.
/// An SDK that strips the newline gets credentials.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w10_a_token_with_a_newline_is_no_token() {
    row_of("W10 a newline in the token file", Plan::default(), async |sdk, stage| {
        let token = stage.token(APP)?;
        let pod = stage.pod(Way::Container, &format!("{token}\n"))?;
        let used = sdk.once(&CALLER, &pod.variables).await?;
        let asked = stage.sts.requests();
        let refused = used.error.is_some() && asked == 0;
        let right = refused || used.arn == Some(Way::Container.arn());
        Ok(Outcome::of(right, || format!("{used:?} {asked}")))
    })
    .await;
}
