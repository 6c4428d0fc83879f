//! The sandbox as SDKs meet it by web identity, when STS has a bad day.

use crate::{
    client::{CALLER, Sdk},
    gate::Fault,
    rows::row,
    stage::{APP, Stage, Way, mint},
    table::Outcome,
};

/// A good pod asks by web identity; it becomes the role with so many calls to STS.
async fn served(sdk: Sdk, stage: &Stage, calls: usize) -> anyhow::Result<Outcome> {
    let pod = stage.pod(Way::WebIdentity, &stage.token(APP)?)?;
    let used = sdk.once(&CALLER, &pod.variables).await?;
    let seen = stage.sts.requests();
    let right = used.arn == Some(Way::WebIdentity.arn()) && seen == calls;
    Ok(Outcome::of(right, || format!("{used:?}; STS was asked {seen} times")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w05_an_unreachable_issuer_is_tried_again() {
    row("W5 IDPCommunicationError once", async |sdk, stage| {
        stage.sts.spoil(1, Fault::Answer(400, "IDPCommunicationError"));
        served(sdk, stage, 2).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w06_a_bad_token_is_not_hammered() {
    row("W6 InvalidIdentityToken", async |sdk, stage| {
        let forged = stage.issuer.impostor()?;
        let forged = mint(&forged, APP, "sts.amazonaws.com", podrole_runtime::clock::now())?;
        let pod = stage.pod(Way::WebIdentity, &forged)?;
        let used = sdk.once(&CALLER, &pod.variables).await?;
        let seen = stage.sts.requests();
        // Go takes it for a fault that passes.
        let wanted = match sdk {
            Sdk::Go => 3,
            Sdk::Go1 => 4,
            _ => 1,
        };
        let right = used.error.is_some() && seen == wanted;
        Ok(Outcome::of(right, || format!("{used:?}; STS was asked {seen} times")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_throttling_and_failures_are_tried_again() {
    for (name, fault) in [
        ("W7 throttled once", Fault::Answer(400, "Throttling")),
        ("W7 unavailable once", Fault::Answer(503, "ServiceUnavailable")),
    ] {
        row(name, async |sdk, stage| {
            stage.sts.spoil(1, fault);
            served(sdk, stage, 2).await
        })
        .await;
    }
}
