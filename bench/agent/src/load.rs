//! Sends load and measures the responses.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use crate::process::ServerProcess;

/// How long an SDK waits for an agent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// Whether connections are reused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connections {
    Kept,
    New,
}

/// The result of a load.
pub(crate) struct Outcome {
    pub(crate) per_second: f64,
    pub(crate) cpu_micros: f64,
    pub(crate) refused: u32,
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, token: &str) -> anyhow::Result<u16> {
    let request = Request::get("/v1/credentials")
        // Agents accept this host whatever address they listen on.
        .header("host", "169.254.170.23")
        .header("authorization", token)
        .body(Empty::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    Ok(status)
}

/// Sends one request on a new connection and returns the status.
pub(crate) async fn once(address: SocketAddr, token: &str) -> anyhow::Result<u16> {
    ask(&mut connect(address).await?, token).await
}

/// Whether a request on a new connection gets credentials within [`PATIENCE`].
pub(crate) async fn is_served(address: SocketAddr, token: &str) -> bool {
    matches!(timeout(PATIENCE, once(address, token)).await, Ok(Ok(200)))
}

/// Sends requests as fast as they are answered, on `connections` connections, for `duration`.
pub(crate) async fn flood(
    target: &ServerProcess,
    token: &str,
    connections: usize,
    kind: Connections,
    duration: Duration,
) -> anyhow::Result<Outcome> {
    let (address, token): (_, Arc<str>) = (target.address, token.into());
    let (before, begun) = (target.cpu()?, Instant::now());
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let token = Arc::clone(&token);
        running.spawn(async move {
            let (mut sender, mut sent, mut served) = (connect(address).await?, 0_u32, 0_u32);
            while begun.elapsed() < duration {
                if kind == Connections::New && sent > 0 {
                    sender = connect(address).await?;
                }
                let status = ask(&mut sender, &token).await?;
                // EKS's agent limits its rate.
                ensure!(status == 200 || status == 429, "status {status}");
                served += u32::from(status == 200);
                sent += 1;
            }
            anyhow::Ok((served, sent))
        });
    }
    let counts: anyhow::Result<Vec<(u32, u32)>> = running.join_all().await.into_iter().collect();
    let (served, sent) =
        counts?.into_iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let cpu = target.cpu()?.saturating_sub(before);
    Ok(Outcome {
        per_second: f64::from(served) / begun.elapsed().as_secs_f64(),
        cpu_micros: cpu.as_secs_f64() * 1e6 / f64::from(sent.max(1)),
        refused: sent - served,
    })
}

/// Returns the median and the 99th percentile of the latency at 1,000 requests per second. It is
/// measured from the scheduled time, so a slow response does not slow the schedule down.
pub(crate) async fn paced(
    target: &ServerProcess,
    token: &str,
    duration: Duration,
) -> anyhow::Result<(Duration, Duration)> {
    let (address, token): (_, Arc<str>) = (target.address, token.into());
    let (mut tick, mut running) = (interval(Duration::from_millis(1)), JoinSet::new());
    for _ in 0..duration.as_millis() {
        let due = tick.tick().await;
        let token = Arc::clone(&token);
        running.spawn(async move {
            once(address, &token).await?;
            anyhow::Ok(due.elapsed())
        });
    }
    let took: anyhow::Result<Vec<Duration>> = running.join_all().await.into_iter().collect();
    let mut took = took?;
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().context("no response");
    Ok((at(50)?, at(99)?))
}
