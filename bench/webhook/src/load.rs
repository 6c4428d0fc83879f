//! Sends reviews one after the other on each of several connections.

use std::{rc::Rc, time::Duration};

use anyhow::ensure;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{task::LocalSet, time::Instant};

use crate::{program::Program, reviews::Review, table::Table};

/// A connection like that of an API server: HTTP/1.1 over TLS, kept alive.
pub(crate) struct Caller(http1::SendRequest<Full<Bytes>>);

impl Caller {
    pub(crate) async fn connect(program: &Program) -> anyhow::Result<Self> {
        let stream = program.connect(b"http/1.1").await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends a review. Returns whether the response has a patch.
    pub(crate) async fn review(&mut self, body: Bytes) -> anyhow::Result<bool> {
        let request = Request::post("/mutate?timeout=3s")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        self.0.ready().await?;
        let answer = self.0.send_request(request).await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        let body = answer.into_body().collect().await?.to_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        Ok(answer["response"]["patch"].is_string())
    }
}

/// The measurements of one kind of review.
pub(crate) struct Measurements {
    cpu_per_review: Duration,
    p50: Duration,
    p99: Duration,
    per_second: f64,
}

/// Sends `review` on `connections` connections for `seconds` seconds.
pub(crate) async fn run(
    program: &Program,
    review: Review,
    connections: usize,
    seconds: u64,
) -> anyhow::Result<Measurements> {
    let tasks = LocalSet::new();
    let mut callers = Vec::new();
    for _ in 0..connections {
        callers.push(Caller::connect(program).await?);
    }
    let (body, before, started) = (Rc::new(review.body()), program.cpu_time()?, Instant::now());
    let end = started + Duration::from_secs(seconds);
    let sending = callers.into_iter().map(|mut caller| {
        let body = Rc::clone(&body);
        tasks.spawn_local(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let sent = Instant::now();
                let patched = caller.review((*body).clone()).await?;
                ensure!(patched == review.patched(), "a review got the wrong response");
                times.push(sent.elapsed());
            }
            Ok(times)
        })
    });
    let sending: Vec<_> = sending.collect();
    let times = tasks
        .run_until(async {
            let mut times = Vec::new();
            for one in sending {
                times.extend(one.await??);
            }
            anyhow::Ok(times)
        })
        .await?;
    let used = program.cpu_time()?.saturating_sub(before);
    Ok(measurements(times, used, started.elapsed()))
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn measurements(mut times: Vec<Duration>, used: Duration, took: Duration) -> Measurements {
    times.sort_unstable();
    let percentile = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default()
    };
    let count = times.len().max(1) as f64;
    Measurements {
        cpu_per_review: used.div_f64(count),
        p50: percentile(50),
        p99: percentile(99),
        per_second: count / took.as_secs_f64(),
    }
}

impl Measurements {
    pub(crate) fn add_to(&self, table: &mut Table, review: &str) {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let micros = (self.cpu_per_review.as_secs_f64() * 1e6).round();
        table.add(&format!("{review}: CPU per review"), "us", micros);
        table.add(&format!("{review}: p50"), "ms", milliseconds(self.p50));
        table.add(&format!("{review}: p99"), "ms", milliseconds(self.p99));
        table.add(&format!("{review}: reviews/s"), "", self.per_second.round());
    }
}
