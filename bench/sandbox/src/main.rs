//! How many tokens a second the sandbox judges: AssumeRoleWithWebIdentity with distinct tokens,
//! each an RS256 signature that is verified and a trust policy that is evaluated. The sandbox keeps
//! no verdict, so that a token that comes again costs the same.
//!
//! ```text
//! cargo build --release -p podrole-sandbox -p podrole-bench-sandbox
//! target/release/bench-sandbox
//! ```
//!
//! The sandbox is the program itself, in a process of its own, with its log on. What its own
//! processor time says holds on a busy machine too.
#![forbid(unsafe_code)]

mod caller;
mod program;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser;

use self::{caller::Caller, program::Program};

/// Asks a sandbox for credentials, as fast as it gives them
#[derive(Parser)]
struct Args {
    /// The program; without it, the one beside this
    #[arg(long, value_name = "FILE")]
    sandbox: Option<PathBuf>,

    /// Connections at once
    #[arg(long, default_value_t = 32)]
    connections: usize,

    /// Seconds of asking
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// Distinct tokens
    #[arg(long, default_value_t = 2000)]
    tokens: usize,
}

fn main() -> anyhow::Result<()> {
    // One thread: the sandbox shall have the rest of the machine.
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
    let before = program.processor_time()?;
    let started = tokio::time::Instant::now();
    let end = started + Duration::from_secs(args.seconds);
    let tasks = tokio::task::LocalSet::new();
    let bodies = std::rc::Rc::new(bodies);
    let mut asking = Vec::new();
    for first in 0..args.connections {
        let bodies = std::rc::Rc::clone(&bodies);
        let mut caller = Caller::connect(program.address()).await?;
        let step = args.connections;
        asking.push(tasks.spawn_local(async move {
            let mut times = Vec::new();
            let mut next = first;
            while tokio::time::Instant::now() < end {
                let body = bodies.get(next % bodies.len()).cloned().context("no tokens")?;
                let asked = tokio::time::Instant::now();
                caller.assume(body).await?;
                times.push(asked.elapsed());
                next += step;
            }
            anyhow::Ok(times)
        }));
    }
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
    report(times, started.elapsed(), used);
    let memory = program.memory()?;
    println!("| memory | {} MB at the start, {} MB at the end |", mb(at_start), mb(memory));
    println!("| ready | {} ms |", program.ready().as_millis());
    Ok(())
}

/// The table that the README has.
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn report(mut times: Vec<Duration>, took: Duration, used: Duration) {
    times.sort_unstable();
    let share = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    let count = times.len() as f64;
    let each = used.as_secs_f64() / count.max(1.0);
    println!("| requests/s | {:.0} |", count / took.as_secs_f64());
    println!("| p50, p99 | {:.2} ms, {:.2} ms |", share(50), share(99));
    println!(
        "| processor time a request | {:.0} us: a core of its own does {:.0}/s |",
        each * 1e6,
        1.0 / each
    );
}

/// Kilobytes as megabytes.
fn mb(kilobytes: u64) -> String {
    let tenths = kilobytes * 10 / 1024;
    format!("{}.{}", tenths / 10, tenths % 10)
}
