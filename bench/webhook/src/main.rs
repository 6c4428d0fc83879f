//! Measures what reviews and ServiceAccounts cost a webhook. Works with every binary that has the
//! flags of EKS's webhook, and uses a stand-in for the API server.
//!
//! ```text
//! cargo build --release -p podrole-webhook -p podrole-bench-webhook
//! target/release/bench-webhook
//! target/release/bench-webhook --against ./another --against-flag=--in-cluster=false
//! ```
//!
//! The webhook runs in its own process. Its CPU time is the kernel's, which is valid on a busy
//! machine too. The load is sent over HTTP/1.1 and TLS, as by an API server.
#![forbid(unsafe_code)]

mod api_server;
mod attacks;
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

/// Measure a webhook: CPU time, latency, memory, and pods missed in a burst
#[derive(Parser)]
struct Args {
    /// The webhook's binary; default: podrole-webhook in the folder of this program
    #[arg(long, value_name = "FILE")]
    webhook: Option<PathBuf>,

    /// A flag for the webhook; repeatable
    #[arg(long = "flag", value_name = "FLAG", allow_hyphen_values = true)]
    flags: Vec<String>,

    /// Another webhook to measure in the same run, for comparison
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// A flag for the other webhook; repeatable
    #[arg(long = "against-flag", value_name = "FLAG", allow_hyphen_values = true)]
    against_flags: Vec<String>,

    /// Number of ServiceAccounts in the cluster; repeatable
    #[arg(long, alias = "accounts", value_name = "COUNT", default_values_t = [0, 1000, 100_000])]
    service_accounts: Vec<usize>,

    /// Seconds for each row of reviews
    #[arg(long, default_value_t = 5)]
    seconds: u64,

    /// Measure only attacks: silent connections, unfinished bodies, and the reviews beside them
    #[arg(long, alias = "silent")]
    attacks: bool,
}

fn main() -> anyhow::Result<()> {
    podrole_runtime::crypto::install();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(Args::parse()))
}

/// A measured webhook.
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
    if !args.attacks {
        cost(&args, &contenders, &mut table).await?;
    }
    for contender in &contenders {
        attacks::run(&contender.binary, &contender.flags, &mut table).await?;
    }
    println!("{table}");
    Ok(())
}

/// Measures what ServiceAccounts and reviews cost.
async fn cost(args: &Args, contenders: &[Contender], table: &mut Table) -> anyhow::Result<()> {
    for count in &args.service_accounts {
        for contender in contenders {
            service_accounts(contender, *count, table).await?;
        }
    }
    reviews(contenders, args.seconds, table).await?;
    for contender in contenders {
        let injected = burst::run(&contender.binary, &contender.flags).await?;
        let what = "pods injected of 200, each with a ServiceAccount created in the same second";
        table.add(what, "", f64::from(injected));
    }
    Ok(())
}

/// Measures start-up time and memory with `count` ServiceAccounts.
async fn service_accounts(
    contender: &Contender,
    count: usize,
    table: &mut Table,
) -> anyhow::Result<()> {
    let api_server = ApiServer::start(count).await?;
    let mut program = contender.start(&api_server)?;
    let took = burst::until_injected(&mut program, count).await?;
    let (steady, peak) = program.settled_memory().await?;
    let mut add = |what, unit, value| {
        table.add(&format!("{count} ServiceAccounts: {what}"), unit, value);
    };
    add(
        "first injection of a pod of the last one after",
        "ms",
        (took.as_secs_f64() * 1000.0).round(),
    );
    add("memory, steady", "MB", steady);
    add("memory, peak", "MB", peak);
    Ok(())
}

/// Measures each kind of review, alternating between the webhooks.
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
