//! The scenarios. Each starts an agent of its own.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use anyhow::Context as _;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    Args,
    exchange::{Exchange, PodWatch},
    load::{self, Connections, Outcome},
    process::ServerProcess,
    table::Table,
    world::{StsMode, World},
};

const HERD: usize = 64;

async fn agent(args: &Args, world: &World) -> anyhow::Result<ServerProcess> {
    ServerProcess::agent(args, world, Exchange::default_for(args), PodWatch::Off).await
}

/// Sends requests until one succeeds: the agent must fetch the issuer's keys first.
pub(crate) async fn warm(target: &ServerProcess, token: &str) -> anyhow::Result<()> {
    for _ in 0..100 {
        if load::once(target.address, token).await? == 200 {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the agent serves no credentials after 10 s")
}

pub(crate) async fn speed(
    args: &Args,
    world: &World,
    duration: Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    let (agent, bare) = (agent(args, world).await?, ServerProcess::bare().await?);
    let token = world.token(Exchange::default_for(args), "app", "app-1")?;
    warm(&agent, &token).await?;
    for (kind, name) in [(Connections::Kept, "kept"), (Connections::New, "new")] {
        for connections in [1, 64, 512] {
            let limit = load::flood(&bare, &token, connections, kind, duration).await?;
            let ours = load::flood(&agent, &token, connections, kind, duration).await?;
            table.row(
                format!("warm, {connections} {name} connections"),
                format!(
                    "{:.0} req/s, {:.1} µs CPU (bare hyper: {:.0} req/s, {:.1} µs): {:.0} %{}",
                    ours.per_second,
                    ours.cpu_micros,
                    limit.per_second,
                    limit.cpu_micros,
                    100.0 * ours.per_second / limit.per_second,
                    refused(&ours),
                ),
            );
        }
    }
    for (target, name) in [(&agent, "agent"), (&bare, "bare hyper")] {
        let (p50, p99) = load::paced(target, &token, duration).await?;
        table.row(
            format!("1,000 req/s on new connections, {name}"),
            format!("p50 {p50:.2?}, p99 {p99:.2?}"),
        );
    }
    Ok(())
}

fn refused(outcome: &Outcome) -> String {
    let refused = outcome.refused;
    if refused == 0 { String::new() } else { format!(", {refused} refused with 429") }
}

/// 64 callers that miss the cache at once, with tokens of 8 pods of one ServiceAccount.
pub(crate) async fn herds(args: &Args, world: &World, table: &mut Table) -> anyhow::Result<()> {
    for exchange in Exchange::of(args) {
        let agent = ServerProcess::agent(args, world, *exchange, PodWatch::Off).await?;
        warm(&agent, &world.token(*exchange, "first", "first")?).await?;
        cold(world, &agent, *exchange, table).await?;
        if *exchange == Exchange::WebIdentity {
            bad_leader(world, &agent, table).await?;
        }
    }
    Ok(())
}

async fn cold(
    world: &World,
    agent: &ServerProcess,
    exchange: Exchange,
    table: &mut Table,
) -> anyhow::Result<()> {
    for (mode, service_account, name) in [
        (StsMode::Succeed, "gives", "success"),
        (StsMode::Deny, "denies", "denial"),
        (StsMode::Unavailable, "away", "503"),
    ] {
        world.script.set(mode);
        let tokens = tokens(world, exchange, service_account)?;
        world.script.take_calls();
        let (answers, spread) = herd(agent, &tokens).await?;
        let calls = world.script.take_calls();
        let line =
            format!("{calls} upstream calls, answers {answers}, last {spread:.1?} after first");
        table.row(format!("64 callers of 8 pods, cold, {}, {name}", exchange.name()), line);
    }
    world.script.set(StsMode::Succeed);
    Ok(())
}

/// A rejected token leads the in-flight fetch that valid tokens join.
async fn bad_leader(world: &World, agent: &ServerProcess, table: &mut Table) -> anyhow::Result<()> {
    let tokens = tokens(world, Exchange::WebIdentity, "bad-leader")?;
    world.script.take_calls();
    world.script.reject(&tokens[0]);
    let bad = {
        let (address, token) = (agent.address, tokens[0].clone());
        tokio::spawn(async move { load::once(address, &token).await })
    };
    sleep(Duration::from_millis(10)).await;
    let (answers, _) = herd(agent, &tokens[1..]).await?;
    let bad = bad.await.context("the leader")??;
    world.script.reject("");
    let line =
        format!("leader {bad}, followers {answers}, {} upstream calls", world.script.take_calls());
    table.row("one bad token leads, 63 good ones follow", line);
    Ok(())
}

/// 64 distinct tokens, eight for each pod.
fn tokens(world: &World, exchange: Exchange, service_account: &str) -> anyhow::Result<Vec<String>> {
    let token = |n: usize| {
        let pod = format!("{service_account}-{}", n / 8);
        world.tokens.token(exchange.audience(), service_account, &pod, n)
    };
    (0..HERD).map(token).collect()
}

/// Sends all tokens at once. Returns the distinct statuses, and how long after the first response
/// the last one came.
async fn herd(agent: &ServerProcess, tokens: &[String]) -> anyhow::Result<(String, Duration)> {
    let mut running = JoinSet::new();
    for token in tokens {
        let (address, token) = (agent.address, token.clone());
        running.spawn(async move {
            let status = load::once(address, &token).await?;
            anyhow::Ok((status, Instant::now()))
        });
    }
    let answers: anyhow::Result<Vec<(u16, Instant)>> =
        running.join_all().await.into_iter().collect();
    let answers = answers?;
    let mut statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let ends = answers.iter().map(|(_, end)| *end);
    let (first, last) = (ends.clone().min(), ends.max());
    let spread = last.zip(first).map(|(last, first)| last - first).unwrap_or_default();
    Ok((format!("{statuses:?}"), spread))
}

/// When 300 sessions of 60 s that began together are refreshed.
pub(crate) async fn refreshes(args: &Args, world: &World, table: &mut Table) -> anyhow::Result<()> {
    world.script.session_seconds.store(60, SeqCst);
    let agent = agent(args, world).await?;
    warm(&agent, &world.token(Exchange::default_for(args), "first", "first")?).await?;
    fill(args, world, &agent, "refreshed", 0..300).await?;
    world.script.take_times();
    let begun = Instant::now();
    sleep(Duration::from_secs(35)).await;
    let mut times = world.script.take_times();
    times.sort_unstable();
    let after = |time: Option<&Instant>| time.map(|time| time.duration_since(begun));
    let (first, last) =
        (after(times.first()).unwrap_or_default(), after(times.last()).unwrap_or_default());
    world.script.session_seconds.store(3600, SeqCst);
    let line = format!("{} refreshed, {first:.1?} to {last:.1?} after the fill", times.len());
    table.row("300 sessions of 60 s that began together", line);
    Ok(())
}

pub(crate) async fn memory(args: &Args, world: &World, table: &mut Table) -> anyhow::Result<()> {
    let agent = agent(args, world).await?;
    warm(&agent, &world.token(Exchange::default_for(args), "first", "first")?).await?;
    table.row("memory, idle", agent.rss()?);
    let small = args.entries.min(2000);
    fill(args, world, &agent, "kept", 0..small).await?;
    table.row(format!("memory, {small} sessions"), agent.rss()?);
    fill(args, world, &agent, "kept", small..args.entries).await?;
    table.row(format!("memory, {} sessions", args.entries), agent.rss()?);
    Ok(())
}

/// Creates one session for each number, each of another ServiceAccount, 32 at a time.
async fn fill(
    args: &Args,
    world: &World,
    agent: &ServerProcess,
    name: &str,
    numbers: std::ops::Range<usize>,
) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    for number in numbers {
        let service_account = format!("{name}-{number}");
        let (address, token) = (
            agent.address,
            world.token(Exchange::default_for(args), &service_account, &service_account)?,
        );
        running.spawn(async move { load::once(address, &token).await });
        if running.len() >= 32 {
            let status = running.join_next().await.context("no task")???;
            anyhow::ensure!(status == 200, "status {status}");
        }
    }
    for status in running.join_all().await {
        anyhow::ensure!(status? == 200, "a session was refused");
    }
    Ok(())
}
