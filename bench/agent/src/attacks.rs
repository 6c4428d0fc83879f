//! What pods without rights, and tokens of pods that are gone, do to an agent that watches its pods.

use std::{net::SocketAddr, time::Duration};

use podrole_bench_flood::{Flood, sources};
use tokio::time::{Instant, interval, sleep};

use crate::{
    Args,
    exchange::{Exchange, PodWatch},
    load::{self, PATIENCE},
    process::ServerProcess,
    scenarios::warm,
    table::Table,
    world::World,
};

const REQUESTS: usize = 200;
/// How long the token of a deleted pod is tried.
const AFTERWARDS: Duration = Duration::from_secs(20);

pub(crate) async fn run(args: &Args, world: &World, table: &mut Table) -> anyhow::Result<()> {
    for (name, addresses, connections, renewed) in [
        ("2,000 silent connections of 20 addresses", 20, 2000, Duration::from_secs(10)),
        ("3,840 silent connections of 30 addresses, new every 0.8 s", 30, 3840, PATIENCE * 4 / 5),
    ] {
        let (agent, token) = warm_agent(args, world).await?;
        let flood = Flood::start(agent.address, &sources(addresses), connections, renewed)?;
        flood.until_opened(connections).await?;
        let (answered, slowest) = paced(agent.address, &token).await;
        let line =
            format!("{answered} of {REQUESTS} answered within 1 s, the slowest {slowest:.1?}");
        table.row(format!("{name}: requests of another client on new connections"), line);
    }
    forged(args, world, table).await?;
    deleted_pod(args, world, table).await
}

/// An agent that has served the pod `app-1`, and the pod's token.
pub(crate) async fn warm_agent(
    args: &Args,
    world: &World,
) -> anyhow::Result<(ServerProcess, String)> {
    let exchange = Exchange::default_for(args);
    let agent = ServerProcess::agent(args, world, exchange, PodWatch::On).await?;
    let token = world.token(exchange, "app", "app-1")?;
    warm(&agent, &token).await?;
    Ok((agent, token))
}

/// Sends a request every 15 ms. Returns how many were answered with 200, and the slowest of them.
async fn paced(address: SocketAddr, token: &str) -> (usize, Duration) {
    let (mut ticks, mut answered, mut slowest) =
        (interval(Duration::from_millis(15)), 0, Duration::ZERO);
    for _ in 0..REQUESTS {
        ticks.tick().await;
        let begun = Instant::now();
        if load::is_served(address, token).await {
            answered += 1;
            slowest = slowest.max(begun.elapsed());
        }
    }
    (answered, slowest)
}

/// Tokens with the signature of another one, each another token.
async fn forged(args: &Args, world: &World, table: &mut Table) -> anyhow::Result<()> {
    let (agent, _) = warm_agent(args, world).await?;
    let exchange = Exchange::default_for(args);
    // The signature of another token.
    let other = world.token(exchange, "other", "other")?;
    let signature = other.rsplit_once('.').map_or("", |(_, signature)| signature);
    world.script.take_calls();
    let (before, mut credentials) = (agent.cpu()?, 0);
    for number in 0..REQUESTS {
        let token = world.tokens.token(exchange.audience(), "app", "app-1", number)?;
        let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
        let status = load::once(agent.address, &format!("{signed}.{signature}")).await?;
        credentials += usize::from(status == 200);
    }
    let cpu = (agent.cpu()? - before).as_micros() / REQUESTS as u128;
    let line = format!(
        "{} calls to AWS, {credentials} credentials from a stand-in that does not verify tokens, {cpu} µs CPU each",
        world.script.take_calls()
    );
    table.row(format!("{REQUESTS} tokens with a wrong signature"), line);
    Ok(())
}

/// A pod is deleted, and its token is used again and again.
async fn deleted_pod(args: &Args, world: &World, table: &mut Table) -> anyhow::Result<()> {
    let (agent, token) = warm_agent(args, world).await?;
    world.pods.delete();
    let (begun, mut last, mut served) = (Instant::now(), Duration::ZERO, 0);
    while begun.elapsed() < AFTERWARDS {
        if load::once(agent.address, &token).await? == 200 {
            (last, served) = (begun.elapsed(), served + 1);
        }
        sleep(Duration::from_millis(10)).await;
    }
    world.pods.create();
    let line = match served {
        0 => "never served again".to_owned(),
        _ => format!("served {served} times, the last time after {last:.1?} of {AFTERWARDS:.0?}"),
    };
    table.row("a pod is deleted, and its token used every 10 ms", line);
    Ok(())
}
