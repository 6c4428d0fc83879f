//! Pods that come in the same second as their ServiceAccounts, before any watch has told of them.

use std::{path::Path, time::Duration};

use tokio::{
    task::LocalSet,
    time::{Instant, sleep},
};

use crate::{api_server::ApiServer, load::Caller, program::Program, reviews::body};

const PODS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a pod whose ServiceAccount has always had a role is injected; how long it took.
pub(crate) async fn until_injected(program: &mut Program) -> anyhow::Result<Duration> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        program.check()?;
        if let Ok(mut caller) = Caller::connect(program).await
            && caller.review(body("role-0", 1, 100)).await.unwrap_or(false)
        {
            return Ok(started.elapsed());
        }
        sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("no pod was injected within {PATIENCE:?}")
}

/// Sends 200 reviews at once, each for another ServiceAccount that only a live read finds; how
/// many were injected.
pub(crate) async fn run(binary: &Path, flags: &[String]) -> anyhow::Result<usize> {
    let api_server = ApiServer::start(1000).await?;
    let mut program = Program::start(binary, flags, &api_server)?;
    until_injected(&mut program).await?;
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
    Ok(injected.into_iter().filter(|injected| matches!(injected, Ok(true))).count())
}
