//! Measures a node agent: requests per second, CPU time, calls to AWS, memory.
//!
//! ```text
//!   load ──► the agent's process ──► scripted issuer, API server and STS, in this process
//!      └───► a bare hyper server in its own process, with the same response: the upper limit
//! ```
//!
//! `cargo run --release -p podrole-bench-agent -- --agent target/release/podrole-agent` prints one
//! table. It can measure other agents too: those with podrole's flags, or with `--flavor eks` those
//! with the flags of EKS's Pod Identity Agent. Flags after `--` are passed to the agent.
#![forbid(unsafe_code)]

mod attacks;
mod bare;
mod exchange;
mod honest;
mod load;
mod mass_start;
mod pods;
mod process;
mod scenarios;
mod scripts;
mod table;
mod tokens;
mod world;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

/// Measure a node agent
#[derive(Parser, Debug)]
struct Args {
    /// The agent's binary, a release build
    #[arg(long, default_value = "target/release/podrole-agent", value_name = "FILE")]
    agent: PathBuf,

    /// Which flags the agent has
    #[arg(long, alias = "speaks", default_value = "podrole", value_name = "FLAVOR")]
    flavor: Flavor,

    /// Seconds for each measurement of throughput and latency
    #[arg(long, default_value_t = 3)]
    seconds: u64,

    /// Cached sessions in the largest measurement of memory
    #[arg(long, default_value_t = 20_000)]
    entries: usize,

    /// Agents that start at once in the scenario `mass-start`; each takes about 3 MB
    #[arg(long, default_value_t = 1000)]
    agents: usize,

    /// What to measure
    #[arg(long, alias = "scenes", value_delimiter = ',',
        default_values = ["speed", "herds", "refreshes", "memory"])]
    scenarios: Vec<Scenario>,

    /// Only serve the fixed response (how this program starts its own bare server)
    #[arg(long, hide = true)]
    bare: bool,

    /// More flags for the agent
    #[arg(last = true)]
    extra: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Throughput and latency of cached answers, beside a bare server
    Speed,
    /// Many callers that miss the cache at once
    Herds,
    /// When sessions that began together are refreshed
    Refreshes,
    /// Resident memory by number of sessions
    Memory,
    /// Requests beside silent connections, forged tokens, the token of a deleted pod
    Attacks,
    /// One pod with many requests and many workers
    Workers,
    /// What the API server is asked when all agents of a cluster start at once
    #[value(alias = "crowd")]
    MassStart,
}

/// Which flags an agent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Flavor {
    /// podrole's
    Podrole,
    /// Those of EKS's Pod Identity Agent, whose only exchange is eks-auth
    Eks,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.bare {
        return bare::serve().await;
    }
    let duration = Duration::from_secs(args.seconds);
    let world = world::World::start().await?;
    let mut table = table::Table::default();
    for scenario in &args.scenarios {
        match scenario {
            Scenario::Speed => scenarios::speed(&args, &world, duration, &mut table).await?,
            Scenario::Herds => scenarios::herds(&args, &world, &mut table).await?,
            Scenario::Refreshes => scenarios::refreshes(&args, &world, &mut table).await?,
            Scenario::Memory => scenarios::memory(&args, &world, &mut table).await?,
            Scenario::Attacks => attacks::run(&args, &world, &mut table).await?,
            Scenario::Workers => honest::run(&args, &world, &mut table).await?,
            Scenario::MassStart => mass_start::run(&args, &mut table).await?,
        }
    }
    println!("{table}");
    Ok(())
}
