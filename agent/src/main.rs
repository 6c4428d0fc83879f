//! The node agent's process: one crypto library, flags, logs, and over to the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use podrole_agent::{
    Args, Command, health_socket, host_dir,
    secret::{WIPING, Wiping},
};

/// The engine and the SDKs copy tokens and keys on their way: those are wiped here.
#[global_allocator]
static ALLOCATOR: Wiping = WIPING;

#[tokio::main]
async fn main() -> ExitCode {
    podrole_runtime::crypto::install();
    let args = Args::parse();
    let started = podrole_runtime::logging::init(&args.log_args()).map_err(anyhow::Error::msg);
    let ended = match (started, args.command.clone()) {
        (Err(error), _) => Err(error),
        (Ok(()), None) => podrole_agent::run(args).await,
        (Ok(()), Some(Command::Health { socket })) => {
            health_socket::ask(&socket).await.map_err(anyhow::Error::msg)
        }
        (Ok(()), Some(Command::Setup { bind_hosts, once, folder, owner })) => {
            match folder.map_or(Ok(()), |folder| host_dir::prepare(&folder, owner)) {
                Ok(()) => podrole_agent::setup(&bind_hosts, once).await,
                Err(error) => Err(anyhow::Error::msg(error)),
            }
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The logs may not exist yet.
            eprintln!("podrole-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
