//! Reviews, one after the other on each of several connections.

use std::{rc::Rc, time::Duration};

use anyhow::ensure;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, task::LocalSet, time::Instant};
use tokio_rustls::TlsConnector;

use crate::{program::Program, reviews::Review, table::Table};

/// A connection as an API server keeps it.
pub(crate) struct Caller(http1::SendRequest<Full<Bytes>>);

impl Caller {
    pub(crate) async fn connect(program: &Program) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(program.address).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(std::sync::Arc::clone(&program.tls));
        let stream = connector.connect(ServerName::try_from("127.0.0.1")?, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends a review; whether the answer has a patch.
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

/// What a row says.
pub(crate) struct Row {
    each: Duration,
    p50: Duration,
    p99: Duration,
    a_second: f64,
}

/// Sends `review` for so many seconds on so many connections.
pub(crate) async fn run(
    program: &Program,
    review: Review,
    connections: usize,
    seconds: u64,
) -> anyhow::Result<Row> {
    let tasks = LocalSet::new();
    let mut callers = Vec::new();
    for _ in 0..connections {
        callers.push(Caller::connect(program).await?);
    }
    let (body, before, started) =
        (Rc::new(review.body()), program.processor_time()?, Instant::now());
    let end = started + Duration::from_secs(seconds);
    let asking = callers.into_iter().map(|mut caller| {
        let body = Rc::clone(&body);
        tasks.spawn_local(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let asked = Instant::now();
                let patched = caller.review((*body).clone()).await?;
                ensure!(patched == review.patched(), "a review was answered wrongly");
                times.push(asked.elapsed());
            }
            Ok(times)
        })
    });
    let asking: Vec<_> = asking.collect();
    let times = tasks
        .run_until(async {
            let mut times = Vec::new();
            for one in asking {
                times.extend(one.await??);
            }
            anyhow::Ok(times)
        })
        .await?;
    let used = program.processor_time()?.saturating_sub(before);
    Ok(row(times, used, started.elapsed()))
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn row(mut times: Vec<Duration>, used: Duration, took: Duration) -> Row {
    times.sort_unstable();
    let share = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default()
    };
    let count = times.len().max(1) as f64;
    Row {
        each: used.div_f64(count),
        p50: share(50),
        p99: share(99),
        a_second: count / took.as_secs_f64(),
    }
}

impl Row {
    pub(crate) fn add_to(&self, table: &mut Table, of: &str) {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let micros = (self.each.as_secs_f64() * 1e6).round();
        table.add(&format!("{of}: processor for each"), "us", micros);
        table.add(&format!("{of}: p50"), "ms", milliseconds(self.p50));
        table.add(&format!("{of}: p99"), "ms", milliseconds(self.p99));
        table.add(&format!("{of}: reviews/s"), "", self.a_second.round());
    }
}
