//! The agent is replaced, or dies, or its connection does, while programs go on asking.

use std::{net::SocketAddr, sync::PoisonError, time::Duration};

use podrole_runtime::serve::Server;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{CALLER, Sdk, Use},
    gate::Fault,
    rows::row,
    stage::{APP, Running, Stage, Way, limits},
    table::Outcome,
};

impl Stage {
    /// A successor takes the agent's socket over, then the agent ends.
    fn replace_agent(&self) -> anyhow::Result<()> {
        let mut runs = self.agent_runs.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = runs.socket.take().ok_or_else(|| anyhow::anyhow!("no agent runs"))?;
        let next = Server::take_over(socket, limits())?;
        let end = CancellationToken::new();
        // Dropped here, the old guard ends the old agent.
        *runs = Running { socket: Some(next.share()?), _end: end.clone().drop_guard() };
        tokio::spawn(next.run(self.agent_routes.clone(), end));
        Ok(())
    }

    /// The agent is gone: nothing listens.
    fn kill_agent(&self) {
        let mut runs = self.agent_runs.lock().unwrap_or_else(PoisonError::into_inner);
        *runs = Running { socket: None, _end: CancellationToken::new().drop_guard() };
    }

    /// A new agent on the same address.
    async fn start_agent(&self) -> anyhow::Result<()> {
        let server = Server::bind(self.agent_address, limits()).await?;
        let end = CancellationToken::new();
        let guard = end.clone().drop_guard();
        let socket = Some(server.share()?);
        let mut runs = self.agent_runs.lock().unwrap_or_else(PoisonError::into_inner);
        *runs = Running { socket, _end: guard };
        drop(runs);
        tokio::spawn(server.run(self.agent_routes.clone(), end));
        Ok(())
    }
}

/// A program that asks the agent at every use.
async fn asking(sdk: Sdk, stage: &Stage) -> anyhow::Result<(crate::client::Running, Use)> {
    stage.agent.spoil_all(Fault::Dying);
    let pod = stage.pod(Way::Container, &stage.token(APP)?)?;
    let mut running = sdk.start(&CALLER, &pod.variables)?;
    let first = running.answer().await?;
    Ok((running, first))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a17_no_client_notices_that_an_agent_is_replaced() {
    row("A17 replaced, ten times", async |sdk, stage| {
        let (mut running, first) = asking(sdk, stage).await?;
        let mut used = vec![first];
        for _ in 0..10 {
            stage.replace_agent()?;
            used.push(running.again().await?);
            used.push(running.again().await?);
        }
        let right = used.iter().all(|it| it.arn == Some(Way::Container.arn()));
        let statuses: Vec<_> = stage.agent.answered().iter().map(|it| it.status).collect();
        let right = right && statuses.iter().all(|status| *status == 200);
        Ok(Outcome::of(right, || format!("{used:?} {statuses:?}")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a18_an_agent_that_died_is_back_within_a_second() {
    row("A18 killed, back after 1 s", async |sdk, stage| {
        let address: SocketAddr = stage.agent_address;
        stage.kill_agent();
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            anyhow::ensure!(begun.elapsed() < Duration::from_secs(5), "it listens still");
            sleep(Duration::from_millis(10)).await;
        }
        let pod = stage.pod(Way::Container, &stage.token(APP)?)?;
        let mut running = sdk.start(&CALLER, &pod.variables)?;
        let (first, started) = tokio::join!(running.answer(), async {
            // Until the SDK has tried in vain once: programs take their time to start.
            sleep(start_of(sdk)).await;
            stage.start_agent().await
        });
        started?;
        let (first, later) = (first?, running.again().await?);
        // Go's SDKs (the second one since credentials 1.21), Java's and at times Rust's give up
        // within a second.
        let patient = matches!(sdk, Sdk::Python | Sdk::JavaScript);
        let right = (first.arn.is_some() || !patient) && later.arn.is_some();
        Ok(Outcome::of(right, || format!("{first:?} {later:?}")))
    })
    .await;
}

/// A second, and what a program's own start takes of it.
fn start_of(sdk: Sdk) -> Duration {
    let own = if sdk == Sdk::Java { 1000 } else { 300 };
    Duration::from_millis(1000 + own)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a19_half_an_answer_is_none() {
    for (name, fault) in [("A19 reset once", Fault::Reset), ("A19 cut in half once", Fault::Half)] {
        row(name, async |sdk, stage| {
            stage.agent.spoil(1, fault);
            let pod = stage.pod(Way::Container, &stage.token(APP)?)?;
            let mut running = sdk.start(&CALLER, &pod.variables)?;
            let (first, later) = (running.answer().await?, running.again().await?);
            let ours = Some(Way::Container.arn());
            // Go's first SDK does not ask again after a reset, nor its second and Java's after half
            // an answer; no SDK uses half an answer.
            let gives_up = match fault {
                Fault::Half => matches!(sdk, Sdk::Go | Sdk::Java),
                _ => sdk == Sdk::Go1,
            };
            let first_right = first.arn == ours || (gives_up && first.error.is_some());
            Ok(Outcome::of(first_right && later.arn == ours, || format!("{first:?} {later:?}")))
        })
        .await;
    }
}
