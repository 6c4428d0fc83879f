//! Measures how many AssumeRoleWithWebIdentity calls per second the sandbox answers. Each call
//! verifies an RS256 signature and evaluates a trust policy. The sandbox caches no results, so a
//! repeated token costs as much as a new one.
//!
//! ```text
//! cargo build --release -p podrole-sandbox -p podrole-bench-sandbox
//! target/release/bench-sandbox
//! ```
//!
//! The sandbox is the real binary in its own process, with logging enabled. Its CPU time is valid
//! on a busy machine too.
#![forbid(unsafe_code)]

mod caller;
mod program;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser;

use self::{caller::Caller, program::Program};

/// Request credentials from a sandbox as fast as it answers
#[derive(Parser)]
struct Args {
    /// The sandbox's binary; default: podrole-sandbox in the folder of this program
    #[arg(long, value_name = "FILE")]
    sandbox: Option<PathBuf>,

    /// Number of connections
    #[arg(long, default_value_t = 32)]
    connections: usize,

    /// Duration in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// Number of distinct tokens
    #[arg(long, default_value_t = 2000)]
    tokens: usize,
}

fn main() -> anyhow::Result<()> {
    // One thread, to leave the other cores to the sandbox.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(Args::parse()))
}

async fn bench(args: Args) -> anyhow::Result<()> {
    let beside = std::env::current_exe()?.with_file_name("podrole-sandbox");
    let program = Program::start(&args.sandbox.unwrap_or(beside))?;
    let at_start = program.memory()?;
    let mut minter = Caller::connect(program.address()).await?;
    let mut bodies = Vec::new();
    for number in 0..args.tokens {
        let token = minter.token(number).await?;
        bodies.push(caller::body(&token)?);
    }
    let before = program.cpu_time()?;
    let started = tokio::time::Instant::now();
    let end = started + Duration::from_secs(args.seconds);
    let tasks = tokio::task::LocalSet::new();
    let bodies = std::rc::Rc::new(bodies);
    let mut sending = Vec::new();
    for first in 0..args.connections {
        let bodies = std::rc::Rc::clone(&bodies);
        let mut caller = Caller::connect(program.address()).await?;
        let step = args.connections;
        sending.push(tasks.spawn_local(async move {
            let mut times = Vec::new();
            let mut next = first;
            while tokio::time::Instant::now() < end {
                let body = bodies
                    .get(next % bodies.len())
                    .cloned()
                    .context("no tokens; use --tokens 1 or more")?;
                let sent = tokio::time::Instant::now();
                caller.assume(body).await?;
                times.push(sent.elapsed());
                next += step;
            }
            anyhow::Ok(times)
        }));
    }
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
    report(times, started.elapsed(), used);
    let memory = program.memory()?;
    println!("| memory | {} MB at start, {} MB at end |", mb(at_start), mb(memory));
    println!("| ready after | {} ms |", program.ready().as_millis());
    Ok(())
}

/// Prints the table of the sandbox's README.
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn report(mut times: Vec<Duration>, took: Duration, used: Duration) {
    times.sort_unstable();
    let percentile = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    let count = times.len() as f64;
    let each = used.as_secs_f64() / count.max(1.0);
    println!("| requests/s | {:.0} |", count / took.as_secs_f64());
    println!("| p50, p99 | {:.2} ms, {:.2} ms |", percentile(50), percentile(99));
    println!("| CPU per request | {:.0} us: {:.0}/s per core |", each * 1e6, 1.0 / each);
}

/// Kilobytes as megabytes.
fn mb(kilobytes: u64) -> String {
    let tenths = kilobytes * 10 / 1024;
    format!("{}.{}", tenths / 10, tenths % 10)
}
