//! Load, and how long each answer took.

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
    time::{Instant, interval},
};

use crate::process::Target;

/// How connections are used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connections {
    Kept,
    New,
}

/// What a load came to.
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
        // The one name that every agent takes, wherever it listens.
        .header("host", "169.254.170.23")
        .header("authorization", token)
        .body(Empty::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    Ok(status)
}

/// The status of one request on a connection of its own.
pub(crate) async fn once(address: SocketAddr, token: &str) -> anyhow::Result<u16> {
    ask(&mut connect(address).await?, token).await
}

/// As much as comes back, on so many connections at once.
pub(crate) async fn flood(
    target: &Target,
    token: &str,
    connections: usize,
    kind: Connections,
    life: Duration,
) -> anyhow::Result<Outcome> {
    let (address, token): (_, Arc<str>) = (target.address, token.into());
    let (before, begun) = (target.cpu()?, Instant::now());
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let token = Arc::clone(&token);
        running.spawn(async move {
            let (mut sender, mut asked, mut served) = (connect(address).await?, 0_u32, 0_u32);
            while begun.elapsed() < life {
                if kind == Connections::New && asked > 0 {
                    sender = connect(address).await?;
                }
                let status = ask(&mut sender, &token).await?;
                // EKS's agent lets through so many a second and no more.
                ensure!(status == 200 || status == 429, "status {status}");
                served += u32::from(status == 200);
                asked += 1;
            }
            anyhow::Ok((served, asked))
        });
    }
    let counts: anyhow::Result<Vec<(u32, u32)>> = running.join_all().await.into_iter().collect();
    let (served, asked) =
        counts?.into_iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let cpu = target.cpu()?.saturating_sub(before);
    Ok(Outcome {
        per_second: f64::from(served) / begun.elapsed().as_secs_f64(),
        cpu_micros: cpu.as_secs_f64() * 1e6 / f64::from(asked.max(1)),
        refused: asked - served,
    })
}

/// The median and the 99th percentile at 1,000 requests a second, whoever is slow.
pub(crate) async fn paced(
    target: &Target,
    token: &str,
    life: Duration,
) -> anyhow::Result<(Duration, Duration)> {
    let (address, token): (_, Arc<str>) = (target.address, token.into());
    let (mut tick, mut running) = (interval(Duration::from_millis(1)), JoinSet::new());
    for _ in 0..life.as_millis() {
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
    let at = |share: usize| took.get(took.len() * share / 100).copied().context("no answer");
    Ok((at(50)?, at(99)?))
}
