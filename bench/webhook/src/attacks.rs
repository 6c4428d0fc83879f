//! What pods without rights send to a webhook, and the reviews beside it.

use std::{path::Path, time::Duration};

use podrole_bench_flood::{Flood, bodies, sources};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{burst, load::Caller, program::Program, reviews::Review, table::Table};

const CONNECTIONS: usize = 4000;
/// How often each is opened again, in case it was closed.
const RENEWED: Duration = Duration::from_secs(4);
const REVIEWS: u32 = 200;
/// As long as an API server waits by default in our configuration.
const PATIENCE: Duration = Duration::from_secs(3);
const SERVICE_ACCOUNTS: usize = 1000;
/// podrole's limit of one body.
const BODY_BYTES: usize = 6 * 1024 * 1024;

/// Adds a webhook's lines: how many reviews were answered, how soon, and the memory.
pub(crate) async fn run(binary: &Path, flags: &[String], table: &mut Table) -> anyhow::Result<()> {
    for addresses in [1, 50] {
        silent(binary, flags, addresses, table).await?;
    }
    bodies(binary, flags, Version::Http1, table).await?;
    bodies(binary, flags, Version::Http2, table).await
}

/// Connections that never send a byte.
async fn silent(
    binary: &Path,
    flags: &[String],
    addresses: u8,
    table: &mut Table,
) -> anyhow::Result<()> {
    let (_api_server, program) = burst::ready(binary, flags, SERVICE_ACCOUNTS).await?;
    let mut kept = Caller::connect(&program).await?;
    let flood = Flood::start(program.address, &sources(addresses), CONNECTIONS, RENEWED)?;
    flood.until_opened(CONNECTIONS).await?;
    let (mut new, mut on_kept) = (Times::default(), Times::default());
    for _ in 0..REVIEWS {
        new.add(reviewed(&program)).await;
        on_kept.add(kept.review(Review::OneContainer.body())).await;
    }
    let what = format!("{CONNECTIONS} silent connections of {addresses} addresses");
    new.add_to(table, &format!("{what}, new connection"));
    on_kept.add_to(table, &format!("{what}, kept connection"));
    Ok(())
}

enum Version {
    Http1,
    Http2,
}

/// Bodies that are sent all but their last byte.
async fn bodies(
    binary: &Path,
    flags: &[String],
    version: Version,
    table: &mut Table,
) -> anyhow::Result<()> {
    let (_api_server, mut program) = burst::ready(binary, flags, SERVICE_ACCOUNTS).await?;
    let (what, mut attack) = match version {
        Version::Http1 => {
            let mut attack = JoinSet::new();
            for _ in 0..45 {
                let stream = program.connect(b"http/1.1").await?;
                attack.spawn(bodies::http1(stream, BODY_BYTES));
            }
            ("45 bodies of 6 MiB without their last byte", attack)
        }
        Version::Http2 => {
            let stream = program.connect(b"h2").await?;
            let attack = bodies::http2(stream, 80, BODY_BYTES).await?;
            ("80 such bodies on one HTTP/2 connection", attack)
        }
    };
    let mut times = Times::default();
    while !attack.is_empty() {
        times.add(reviewed(&program)).await;
        while attack.try_join_next().is_some() {}
        sleep(Duration::from_millis(20)).await;
    }
    times.add_share_to(table, what);
    let peak = program.check().and_then(|()| program.peak_memory());
    table.add(&format!("{what}: memory at most"), "MB", peak.unwrap_or(f64::NAN));
    Ok(())
}

/// A review on a connection of its own.
async fn reviewed(program: &Program) -> anyhow::Result<bool> {
    Caller::connect(program).await?.review(Review::OneContainer.body()).await
}

/// How long answered reviews took, and how many were sent.
#[derive(Default)]
struct Times {
    sent: u32,
    answered: Vec<Duration>,
}

impl Times {
    async fn add(&mut self, review: impl Future<Output = anyhow::Result<bool>>) {
        self.sent += 1;
        let begun = Instant::now();
        if matches!(timeout(PATIENCE, review).await, Ok(Ok(true))) {
            self.answered.push(begun.elapsed());
        }
    }

    fn add_to(mut self, table: &mut Table, what: &str) {
        self.answered.sort_unstable();
        let answered = u32::try_from(self.answered.len()).unwrap_or_default();
        table.add(&format!("{what}: answered of {}", self.sent), "", f64::from(answered));
        for (name, percent) in [("p50", 50), ("p99", 99)] {
            table.add(&format!("{what}: {name}"), "ms", milliseconds(self.percentile(percent)));
        }
    }

    /// The share of answered reviews: an attack's length, so their number, differs by webhook.
    fn add_share_to(mut self, table: &mut Table, what: &str) {
        self.answered.sort_unstable();
        let answered = u32::try_from(self.answered.len()).unwrap_or_default();
        let share = f64::from(answered) * 100.0 / f64::from(self.sent.max(1));
        table.add(&format!("{what}: reviews answered meanwhile"), "%", share);
        table.add(&format!("{what}: p99 of them"), "ms", milliseconds(self.percentile(99)));
    }

    /// Of the sorted times.
    fn percentile(&self, percent: usize) -> Duration {
        let last = self.answered.len().saturating_sub(1);
        let place = (self.answered.len() * percent / 100).min(last);
        self.answered.get(place).copied().unwrap_or(PATIENCE)
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
