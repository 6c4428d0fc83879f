//! What one honest pod with many workers gets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use crate::{Args, attacks::warm_agent, load::is_served, table::Table, world::World};

const WORKERS: usize = 1000;
/// The pauses before an SDK's second and third try.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(100)];

pub(crate) async fn run(args: &Args, world: &World, table: &mut Table) -> anyhow::Result<()> {
    let (agent, token) = warm_agent(args, world).await?;
    let (token, requests): (Arc<str>, _) = (token.into(), 1000);
    let (mut ticks, mut asked) = (interval(Duration::from_millis(10)), JoinSet::new());
    for _ in 0..requests {
        ticks.tick().await;
        let (address, token) = (agent.address, Arc::clone(&token));
        asked.spawn(async move { is_served(address, &token).await });
    }
    let answered = asked.join_all().await.into_iter().filter(|it| *it).count();
    table.row(
        "one pod, 100 requests/s for 10 s on new connections, one try each",
        format!("{answered} of {requests} answered"),
    );
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (address, token) = (agent.address, Arc::clone(&token));
        workers.spawn(async move { three_tries(address, &token).await });
    }
    let answered = workers.join_all().await.into_iter().filter(|it| *it).count();
    table.row(
        format!("{WORKERS} workers of one pod that connect at once, three tries each"),
        format!("{answered} of {WORKERS} answered, all within {:.1?}", begun.elapsed()),
    );
    Ok(())
}

async fn three_tries(address: SocketAddr, token: &str) -> bool {
    for pause in PAUSES {
        if is_served(address, token).await {
            return true;
        }
        sleep(pause).await;
    }
    is_served(address, token).await
}
