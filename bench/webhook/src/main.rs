//! What a review costs a webhook, and what ServiceAccounts cost it. Drives any binary that takes
//! the flags of EKS's webhook, against a stand-in API server.
//!
//! ```text
//! cargo build --release -p podrole-webhook -p podrole-bench-webhook
//! target/release/bench-webhook
//! target/release/bench-webhook --against ./another --against-flag=--in-cluster=false
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
mod table;

use std::path::{Path, PathBuf};

use api_server::ApiServer;
use clap::Parser;
use program::Program;
use reviews::Review;
use table::Table;

/// Measures a webhook: processor time, latency, memory, and pods missed in a burst
#[derive(Parser)]
struct Args {
    /// The binary; without it, the podrole-webhook beside this
    #[arg(long, value_name = "FILE")]
    webhook: Option<PathBuf>,

    /// One more flag for it; repeatable
    #[arg(long = "flag", value_name = "FLAG", allow_hyphen_values = true)]
    flags: Vec<String>,

    /// Another webhook, measured in the same run and shown beside the first
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// One more flag for the other; repeatable
    #[arg(long = "against-flag", value_name = "FLAG", allow_hyphen_values = true)]
    against_flags: Vec<String>,

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

/// A webhook that is measured.
struct Contender {
    binary: PathBuf,
    flags: Vec<String>,
}

impl Contender {
    fn name(&self) -> String {
        let name = self.binary.file_name().map(Path::new).unwrap_or(&self.binary);
        name.display().to_string()
    }

    fn start(&self, api_server: &ApiServer) -> anyhow::Result<Program> {
        Program::start(&self.binary, &self.flags, api_server)
    }
}

async fn bench(args: Args) -> anyhow::Result<()> {
    let beside = std::env::current_exe()?.with_file_name("podrole-webhook");
    let binary = args.webhook.clone().unwrap_or(beside);
    let mut contenders = vec![Contender { binary, flags: args.flags.clone() }];
    if let Some(binary) = args.against.clone() {
        contenders.push(Contender { binary, flags: args.against_flags.clone() });
    }
    let mut table = Table::new(contenders.iter().map(Contender::name));
    for count in &args.accounts {
        for contender in &contenders {
            accounts(contender, *count, &mut table).await?;
        }
    }
    reviews(&contenders, args.seconds, &mut table).await?;
    for contender in &contenders {
        let injected = burst::run(&contender.binary, &contender.flags).await?;
        let what = "injected of 200 pods for 200 ServiceAccounts of the same second";
        table.add(what, "", f64::from(injected));
    }
    println!("{table}");
    Ok(())
}

/// What so many ServiceAccounts cost.
async fn accounts(contender: &Contender, count: usize, table: &mut Table) -> anyhow::Result<()> {
    let api_server = ApiServer::start(count).await?;
    let mut program = contender.start(&api_server)?;
    let took = burst::until_injected(&mut program, count).await?;
    let (steady, peak) = program.settled_memory().await?;
    let mut add = |what, unit, value| {
        table.add(&format!("{count} ServiceAccounts: {what}"), unit, value);
    };
    add("the last one's pod is injected after", "ms", (took.as_secs_f64() * 1000.0).round());
    add("memory, steady", "MB", steady);
    add("memory, peak", "MB", peak);
    Ok(())
}

/// What reviews cost, each kind for one webhook after the other.
async fn reviews(contenders: &[Contender], seconds: u64, table: &mut Table) -> anyhow::Result<()> {
    let api_server = ApiServer::start(1000).await?;
    let mut programs = Vec::new();
    for contender in contenders {
        let mut program = contender.start(&api_server)?;
        burst::until_injected(&mut program, 1000).await?;
        programs.push(program);
    }
    for review in Review::ALL {
        for connections in [1, 64] {
            for program in &programs {
                let row = load::run(program, review, connections, seconds).await?;
                row.add_to(table, &format!("{}, {connections} at a time", review.name()));
            }
        }
    }
    Ok(())
}
