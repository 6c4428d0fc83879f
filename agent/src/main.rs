//! The node agent's process. It sets up cryptography, flags and logs, and calls the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use podrole_agent::{
    Args, Command, configuration, health_socket, host_dir,
    secret::{WIPING, Wiping},
};
use podrole_runtime::{config, logging, memory};

/// The HTTP library and the SDKs copy tokens and keys. These copies are wiped when they are freed.
#[global_allocator]
static ALLOCATOR: Wiping = WIPING;

#[tokio::main]
async fn main() -> ExitCode {
    podrole_runtime::crypto::install();
    let (args, matches) = config::parse::<Args>();
    let ended = if args.print.print_config {
        configuration(&args, &matches).map(|text| print!("{text}")).map_err(anyhow::Error::msg)
    } else {
        run(args).await
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Logging may not have been set up yet.
            eprintln!("podrole-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    logging::init(&args.log_args()).map_err(anyhow::Error::msg)?;
    memory::protect_or_warn();
    match args.command.clone() {
        None => podrole_agent::run(args).await,
        Some(Command::Health { socket }) => Ok(health_socket::ask(&socket).await?),
        Some(Command::Setup { bind_hosts, once, folder, owner }) => {
            folder.map_or(Ok(()), |folder| host_dir::prepare(&folder, owner))?;
            podrole_agent::setup(&bind_hosts, once).await
        }
    }
}
