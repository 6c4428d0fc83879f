//! `podrole-node`. It sets up flags and logs, and calls the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use podrole_node::{Args, Command, Supervised, health, host_dir, run, setup};
use podrole_runtime::logging;

// One thread: the agent ends with the thread that has started it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    match command(args).await {
        Ok(code) => code,
        Err(error) => {
            // Logging may not have been set up yet.
            eprintln!("podrole-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn command(args: Args) -> anyhow::Result<ExitCode> {
    logging::init(&args.logs).map_err(anyhow::Error::msg)?;
    match args.command {
        Command::Run(args) => {
            let addresses = args.addresses();
            let (command, health_socket) = (args.command, args.health_socket);
            return run(Supervised { command, addresses, health_socket }).await;
        }
        Command::Health { socket, live } => health::check(&socket, live).await?,
        Command::Setup { bind_hosts, once, folder, owner } => {
            folder.map_or(Ok(()), |folder| host_dir::prepare(&folder, owner))?;
            setup(&bind_hosts, once).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
