//! Pods that are created in the same second as their ServiceAccounts, before any watch shows these.

use std::{path::Path, time::Duration};

use tokio::{
    task::LocalSet,
    time::{Instant, sleep},
};

use crate::{api_server::ApiServer, load::Caller, program::Program, reviews::body};

const PODS: usize = 200;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Waits until a pod of the last of `count` ServiceAccounts that has a role is injected. Returns
/// how long it took.
pub(crate) async fn until_injected(
    program: &mut Program,
    count: usize,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let service_account = format!("role-{}", count.saturating_sub(1) / 10 * 10);
    while started.elapsed() < TIMEOUT {
        program.check()?;
        if let Ok(mut caller) = Caller::connect(program).await
            && caller.review(body(&service_account, 1, 100)).await.unwrap_or(false)
        {
            return Ok(started.elapsed());
        }
        sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("no pod was injected within {TIMEOUT:?}")
}

/// A webhook that injects pods of all of `count` ServiceAccounts, and its API server.
pub(crate) async fn ready(
    binary: &Path,
    flags: &[String],
    count: usize,
) -> anyhow::Result<(ApiServer, Program)> {
    let api_server = ApiServer::start(count).await?;
    let mut program = Program::start(binary, flags, &api_server)?;
    until_injected(&mut program, count).await?;
    Ok((api_server, program))
}

/// Sends 200 reviews at once, each for another ServiceAccount that only a live read finds. Returns
/// how many were injected.
pub(crate) async fn run(binary: &Path, flags: &[String]) -> anyhow::Result<u32> {
    let (_api_server, program) = ready(binary, flags, 1000).await?;
    let mut callers = Vec::new();
    for _ in 0..PODS {
        callers.push(Caller::connect(&program).await?);
    }
    let tasks = LocalSet::new();
    let reviews = callers.into_iter().enumerate().map(|(index, mut caller)| {
        let body = body(&format!("late-{index}"), 1, 100);
        tasks.spawn_local(async move { caller.review(body).await.unwrap_or(false) })
    });
    let reviews: Vec<_> = reviews.collect();
    let injected = tasks.run_until(futures::future::join_all(reviews)).await;
    Ok(injected.into_iter().map(|injected| u32::from(matches!(injected, Ok(true)))).sum())
}
