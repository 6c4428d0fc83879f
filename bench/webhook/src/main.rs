//! What a review costs a webhook, and what ServiceAccounts cost it. Drives any binary that takes
//! the flags of EKS's webhook, against a stand-in API server.
//!
//! ```text
//! cargo build --release -p podrole-webhook -p podrole-bench-webhook
//! target/release/bench-webhook
//! target/release/bench-webhook --webhook ./another --flag=--in-cluster=false
//! ```
//!
//! The webhook is a process of its own, and its processor time is what the kernel counts, which
//! holds on a busy machine too. The load comes over HTTP/1.1 and TLS, as from an API server.
#![forbid(unsafe_code)]

mod api_server;
mod burst;
mod load;
mod program;
mod reviews;

use std::path::PathBuf;

use api_server::ApiServer;
use clap::Parser;
use program::Program;
use reviews::Review;

/// Measures a webhook: processor time, latency, memory, and pods missed in a burst
#[derive(Parser)]
struct Args {
    /// The binary; without it, the podrole-webhook beside this
    #[arg(long, value_name = "FILE")]
    webhook: Option<PathBuf>,

    /// One more flag for it; repeatable
    #[arg(long = "flag", value_name = "FLAG", allow_hyphen_values = true)]
    flags: Vec<String>,

    /// How many ServiceAccounts there are; repeatable
    #[arg(long, value_name = "COUNT", default_values_t = [0, 1000, 100_000])]
    accounts: Vec<usize>,

    /// Seconds for each row of reviews
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    podrole_runtime::crypto::install();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(Args::parse()))
}

async fn bench(args: Args) -> anyhow::Result<()> {
    let beside = std::env::current_exe()?.with_file_name("podrole-webhook");
    let binary = args.webhook.unwrap_or(beside);
    println!("ServiceAccounts  first patch after  memory steady  memory peak");
    for count in &args.accounts {
        let api_server = ApiServer::start(*count).await?;
        let mut program = Program::start(&binary, &args.flags, &api_server)?;
        let took = burst::until_injected(&mut program).await?;
        let (steady, peak) = program.memory()?;
        println!("{count:>15} {:>16} ms {steady:>11} MB {peak:>9} MB", took.as_millis());
    }
    println!("\nreview          connections  processor      p50      p99  reviews/s");
    let api_server = ApiServer::start(1000).await?;
    let mut program = Program::start(&binary, &args.flags, &api_server)?;
    burst::until_injected(&mut program).await?;
    for review in Review::ALL {
        for connections in [1, 64] {
            let row = load::run(&program, review, connections, args.seconds).await?;
            println!("{:<15} {connections:>11}  {row}", review.name());
        }
    }
    let injected = burst::run(&binary, &args.flags).await?;
    println!("\n200 pods for 200 ServiceAccounts of the same second: {injected} injected");
    Ok(())
}
