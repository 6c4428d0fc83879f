//! 4,000 connections that never send a byte, and are opened again every few seconds.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use podrole_bench_flood::{Flood, sources};
use podrole_tests::{http, wait};
use tokio::time::{sleep, timeout};

use crate::{client, program::Program};

const CONNECTIONS: usize = 4000;
/// What a review may take on a machine that is busy with other tests. On a quiet one it is a tenth,
/// and before connections were chosen by how far they had come, half of the reviews had no answer
/// within 3 s.
const SLOWEST: Duration = Duration::from_secs(1);

async fn flood(target: SocketAddr, sources: &[IpAddr], renewed: Duration) -> anyhow::Result<Flood> {
    let flood = Flood::start(target, sources, CONNECTIONS, renewed)?;
    flood.until_opened(CONNECTIONS).await?;
    Ok(flood)
}

async fn reviews_are_answered(sources: &[IpAddr]) -> anyhow::Result<()> {
    let program = Program::start().await?;
    let mut kept = client::open(&program).await?;
    client::review(&mut kept, "shop", "new-1").await?;
    let _flood = flood(program.reviews, sources, Duration::from_secs(4)).await?;
    let new = client::on_new_connections(&program, 100).await?;
    let on_kept = client::on_a_kept_connection(&mut kept, 100).await?;
    println!("{} addresses: new: {new}; kept: {on_kept}", sources.len());
    ensure!(new.p99() < SLOWEST && on_kept.p99() < SLOWEST, "{new}; {on_kept}");
    Ok(())
}

#[tokio::test]
async fn reviews_are_answered_beside_silent_connections_of_one_address() {
    wait::one_of_three(async || reviews_are_answered(&sources(1)).await).await.unwrap();
}

#[tokio::test]
async fn reviews_are_answered_beside_silent_connections_of_fifty_addresses() {
    wait::one_of_three(async || reviews_are_answered(&sources(50)).await).await.unwrap();
}

/// As where NAT hides pods and API servers behind one address.
#[tokio::test]
async fn reviews_are_answered_beside_silent_connections_of_their_own_address() {
    let own = [Ipv4Addr::LOCALHOST.into()];
    wait::one_of_three(async || reviews_are_answered(&own).await).await.unwrap();
}

#[tokio::test]
async fn probes_are_answered_beside_silent_connections() {
    wait::one_of_three(probes_are_answered).await.unwrap();
}

async fn probes_are_answered() -> anyhow::Result<()> {
    let program = Program::start().await?;
    // Faster, because a connection without TLS could always be closed after a second.
    let _flood = flood(program.admin, &sources(50), Duration::from_secs(1)).await?;
    for number in 0..40 {
        let probe = timeout(Duration::from_secs(1), http::get(program.admin, "/readyz", None));
        let answer = probe.await.with_context(|| format!("probe {number} took over 1 s"))?;
        ensure!(answer?.0 == 200);
        sleep(Duration::from_millis(20)).await;
    }
    // Nor does the attack on one port reach the other.
    let new = client::on_new_connections(&program, 20).await?;
    ensure!(new.p99() < SLOWEST, "{new}");
    Ok(())
}
