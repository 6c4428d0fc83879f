//! The agent as SDKs meet it on a good day, and what a day's wear brings.

use std::{fs, time::Duration};

use tokio::time::sleep;

use crate::{
    client::{CALLER, Sdk},
    gate::Fault,
    rows::{ask, row, served},
    stage::{APP, Stage, Way},
    table::Outcome,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_one_request_makes_a_role() {
    row("A1 the happy way", async |sdk, stage| Ok(served(&ask(sdk, stage).await?, stage, 1, 1)))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a03_any_loopback_and_any_port_will_do() {
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        row(&format!("A3 the agent at {host}"), async |sdk, stage| at(host, sdk, stage).await)
            .await;
    }
}

async fn at(host: &str, sdk: Sdk, stage: &Stage) -> anyhow::Result<Outcome> {
    if host == "[::1]" && !stage.has_ipv6 {
        return Ok(Outcome::Unsupported("this machine has no IPv6 loopback"));
    }
    let mut pod = stage.pod(Way::Container, &stage.token(APP)?)?;
    let uri = format!("http://{host}:{}/v1/credentials", stage.agent_address.port());
    pod.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri);
    let used = sdk.once(&CALLER, &pod.variables).await?;
    Ok(served(&used, stage, 1, 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a06_without_a_token_aws_is_not_called() {
    row("A6 an empty token file", async |sdk, stage| {
        let pod = stage.pod(Way::Container, "")?;
        let used = sdk.once(&CALLER, &pod.variables).await?;
        let statuses: Vec<_> = stage.agent.answered().iter().map(|it| it.status).collect();
        let refused = used.error.is_some() && statuses.iter().all(|status| *status == 400);
        let asked = stage.sts.requests();
        Ok(Outcome::of(refused && asked == 0, || format!("{used:?} {statuses:?} {asked}")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a07_a_token_that_is_replaced_on_disk_is_read_anew() {
    row("A7 a rotated token", async |sdk, stage| {
        // With credentials at their end every use asks the agent.
        stage.agent.spoil_all(Fault::Dying);
        let pod = stage.pod(Way::Container, &stage.token(APP)?)?;
        let mut running = sdk.start(&CALLER, &pod.variables)?;
        let first = running.answer().await?;
        let newer = stage.token(APP)?;
        fs::write(&pod.token_file, &newer)?;
        // An SDK may ask in the background, and go on with what it has: then it is a later use's.
        let mut later = running.again().await?;
        for _ in 0..100 {
            if later.error.is_some() || stage.agent.saw(&newer) {
                break;
            }
            sleep(Duration::from_millis(50)).await;
            later = running.again().await?;
        }
        let right = first.arn.is_some() && later.arn.is_some() && stage.agent.saw(&newer);
        Ok(Outcome::of(right, || format!("{first:?} {later:?}")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a09_six_uses_are_one_request() {
    row("A9 six uses", async |sdk, stage| {
        let pod = stage.pod(Way::Container, &stage.token(APP)?)?;
        let mut running = sdk.start(&CALLER, &pod.variables)?;
        let mut used = running.answer().await?;
        for _ in 0..5 {
            used = running.again().await?;
        }
        Ok(served(&used, stage, 1, 1))
    })
    .await;
}
