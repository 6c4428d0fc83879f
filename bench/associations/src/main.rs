//! Measures what many ServiceAccounts and PodIdentityAssociations cost a real API server, podrole's webhook, and the API
//! server again if agents start at once.
//!
//! ```text
//! cargo build --release -p podrole-webhook -p podrole-agent -p podrole-bench-associations
//! target/release/bench-associations
//! ```
//!
//! etcd and kube-apiserver are those of the tests (`tests/kubernetes/build`). The numbers of the API server are its own
//! metrics, read after a garbage collection.
#![forbid(unsafe_code)]

mod agents;
mod api_server;
mod objects;
mod reviews;
mod sts;
mod table;
mod watches;
mod webhook;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;

use self::{
    agents::Agents,
    api_server::ApiServer,
    objects::{Objects, Step},
    table::Table,
    webhook::Webhook,
};

/// Measure what many associations cost: the API server's memory, the webhook, agents that start at once, watches
#[derive(Parser)]
struct Args {
    /// ServiceAccounts, each with an association
    #[arg(long, default_value_t = 100_000, value_name = "COUNT")]
    count: usize,

    /// Leave out the statuses, which take as long as the associations
    #[arg(long)]
    no_statuses: bool,

    /// Reviews of one pod each
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    reviews: usize,

    /// Agents that start at once, each in a process of its own
    #[arg(long, default_value_t = 40, value_name = "COUNT")]
    agents: usize,

    /// Pods of each agent's node, each with a ServiceAccount and a role of its own
    #[arg(long, default_value_t = 30, value_name = "COUNT")]
    pods: usize,

    /// How long the agents' requests are counted
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Watches of one name each
    #[arg(long, default_value_t = 2000, value_name = "COUNT")]
    watches: usize,

    /// The folder of the release builds of podrole-webhook and podrole-agent; default: that of this program
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let this = std::env::current_exe()?;
    let programs = args.programs.clone().or_else(|| Some(this.parent()?.to_owned()));
    let programs = programs.context("this program is in no folder")?;
    let mut table = Table::default();
    let server = ApiServer::start().await?;
    let objects = Objects::new(args.count);
    create(&args, &server, &objects, &mut table).await?;
    let fresh = server.successor().await?;
    fresh.settle().await?;
    let empty = fresh.memory().await?;
    objects.load(&fresh).await?;
    fresh.settle().await?;
    let full = fresh.memory().await?;
    let each = full.since(&empty, args.count);
    let what = "a new API server on the same etcd, which keeps no earlier versions";
    table.row(what, format!("{full}; {each}"));
    let seconds = objects.list(&fresh).await?.as_secs_f64();
    table.row("all associations in pages of 500, read by the bench", format!("{seconds:.2} s"));
    webhook(&args, &programs.join("podrole-webhook"), &fresh, &objects, &mut table).await?;
    let agents = Agents { program: programs.join("podrole-agent"), count: args.agents };
    agents.run(&fresh, &objects, args.pods, args.seconds, &mut table).await?;
    watches::run(&fresh, &objects, args.watches, &mut table).await?;
    println!("{table}");
    Ok(())
}

/// Fills the API server, with its memory after each step.
async fn create(
    args: &Args,
    server: &ApiServer,
    objects: &Objects,
    table: &mut Table,
) -> anyhow::Result<()> {
    server.install_kinds().await?;
    objects.create(server, Step::Namespaces).await?;
    server.settle().await?;
    let mut before = server.memory().await?;
    table.row("API server without ServiceAccounts and associations", before.to_string());
    for step in [Step::ServiceAccounts, Step::Associations, Step::Statuses] {
        if step == Step::Statuses && args.no_statuses {
            continue;
        }
        let took = objects.create(server, step).await?;
        server.settle().await?;
        let after = server.memory().await?;
        let each = after.since(&before, args.count);
        let (count, seconds) = (args.count, took.as_secs());
        table.row(
            format!("with {count} {step}, created in {seconds} s"),
            format!("{after}; {each}"),
        );
        before = after;
    }
    let size = objects.size_of_association(server).await?;
    table.row("an association as the API server returns it", format!("{size} bytes of JSON"));
    Ok(())
}

/// Starts the webhook and sends reviews of pods whose ServiceAccounts have associations.
async fn webhook(
    args: &Args,
    program: &std::path::Path,
    server: &ApiServer,
    objects: &Objects,
    table: &mut Table,
) -> anyhow::Result<()> {
    let webhook = Webhook::start(program, server).await?;
    let seconds = webhook.ready_after.as_secs_f64();
    table.row("webhook: ready after", format!("{seconds:.2} s"));
    table.row("webhook: resident memory when ready", webhook.memory()?.to_string());
    let mut caller = webhook.connect().await?;
    let mut times = Vec::new();
    for number in 0..args.reviews {
        let service_account = objects.spread(number, args.reviews);
        times.push(caller.review(&service_account).await?);
    }
    times.sort_unstable();
    let milliseconds = |time: Option<&std::time::Duration>| {
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    let (median, most) = (times.get(times.len() / 2), times.last());
    let (median, most) = (milliseconds(median), milliseconds(most));
    let value = format!("median {median:.2} ms, at most {most:.2} ms");
    table.row(format!("webhook: {} reviews, all injected", times.len()), value);
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    table.row("webhook: resident memory 10 s later", webhook.memory()?.to_string());
    Ok(())
}
