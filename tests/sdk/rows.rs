//! A row of the list: every SDK does the same thing at the same time, each on a stage of its own.

use std::time::Duration;

use futures::{StreamExt as _, stream};

use crate::{
    client::{CALLER, Sdk, Use},
    stage::{APP, Plan, Stage, Way},
    table::{Cell, Outcome, judge},
};

/// Runs `check` for each SDK and prints the row; fails with what is wrong.
pub(crate) async fn row<C>(name: &str, check: C)
where
    C: AsyncFn(Sdk, &Stage) -> anyhow::Result<Outcome>,
{
    row_of(name, Plan::default(), check).await;
}

/// The same on stages of this plan.
pub(crate) async fn row_of<C>(name: &str, plan: Plan, check: C)
where
    C: AsyncFn(Sdk, &Stage) -> anyhow::Result<Outcome>,
{
    let cell = async |sdk: Sdk| {
        let stage = Stage::of(plan).await?;
        check(sdk, &stage).await
    };
    let cells = stream::iter(Sdk::wanted()).map(async |sdk| {
        let outcome = cell(sdk).await.unwrap_or_else(|error| Outcome::Fail(format!("{error:#}")));
        Cell { row: name.to_owned(), column: sdk.to_string(), outcome }
    });
    let cells: Vec<_> = cells.buffered(Sdk::wanted().len().max(1)).collect().await;
    judge("", &cells);
}

/// A good pod asks once, by container credentials.
pub(crate) async fn ask(sdk: Sdk, stage: &Stage) -> anyhow::Result<Use> {
    let pod = stage.pod(Way::Container, &stage.token(APP)?)?;
    sdk.once(&CALLER, &pod.variables).await
}

/// What is wrong unless the use gave the role, after so many requests to the agent and to STS.
pub(crate) fn served(used: &Use, stage: &Stage, agent: usize, sts: usize) -> Outcome {
    let seen = (stage.agent.requests(), stage.sts.requests());
    Outcome::of(used.arn == Some(Way::Container.arn()) && seen == (agent, sts), || {
        format!("{used:?}; agent and STS were asked {seen:?}, not {:?}", (agent, sts))
    })
}

/// A second and a half: more than the agent lets anybody wait, less than SDKs try.
pub(crate) const SLOW: Duration = Duration::from_millis(1500);
