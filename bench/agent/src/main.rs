//! What a node agent costs: requests a second, processor time, calls to AWS, memory.
//!
//! ```text
//!   load ──► the agent's process ──► a scripted issuer, API server and STS, in this process
//!      └───► a bare hyper server in a process of its own, with the same bytes: the limit
//! ```
//!
//! `cargo run --release -p podrole-bench-agent -- --agent target/release/podrole-agent` prints one
//! table. Another agent can be measured too: one that takes our flags, or with `--speaks eks` one
//! that takes those of EKS's Pod Identity Agent. Flags after `--` are added.
#![forbid(unsafe_code)]

mod bare;
mod crowd;
mod exchange;
mod load;
mod process;
mod scenes;
mod scripts;
mod table;
mod tokens;
mod world;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

/// Measures an agent
#[derive(Parser, Debug)]
struct Args {
    /// The agent's binary; a release build
    #[arg(long, default_value = "target/release/podrole-agent", value_name = "FILE")]
    agent: PathBuf,

    /// Whose flags it takes
    #[arg(long, default_value = "podrole", value_name = "podrole|eks")]
    speaks: Speaks,

    /// Seconds for each measurement of speed
    #[arg(long, default_value_t = 3)]
    seconds: u64,

    /// Sessions in the largest measurement of memory
    #[arg(long, default_value_t = 20_000)]
    entries: usize,

    /// Agents that start at once in the scene `crowd`; each takes about 3 MB
    #[arg(long, default_value_t = 1000)]
    agents: usize,

    /// What is measured
    #[arg(long, value_delimiter = ',', default_values = ["speed", "herds", "refreshes", "memory"])]
    scenes: Vec<Scene>,

    /// Serves the same bytes and nothing else (this program starts itself so)
    #[arg(long, hide = true)]
    bare: bool,

    /// More flags for the agent
    #[arg(last = true)]
    more: Vec<String>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scene {
    Speed,
    Herds,
    Refreshes,
    Memory,
    Crowd,
}

/// Whose flags an agent takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Speaks {
    /// Ours
    Podrole,
    /// Those of EKS's Pod Identity Agent, which has one exchange: eks-auth
    Eks,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.bare {
        return bare::serve().await;
    }
    let life = Duration::from_secs(args.seconds);
    let world = world::World::start().await?;
    let mut table = table::Table::default();
    for scene in &args.scenes {
        match scene {
            Scene::Speed => scenes::speed(&args, &world, life, &mut table).await?,
            Scene::Herds => scenes::herds(&args, &world, &mut table).await?,
            Scene::Refreshes => scenes::refreshes(&args, &world, &mut table).await?,
            Scene::Memory => scenes::memory(&args, &world, &mut table).await?,
            Scene::Crowd => crowd::crowd(&args, &mut table).await?,
        }
    }
    println!("{table}");
    Ok(())
}
