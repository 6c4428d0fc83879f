//! The node agent's process. It sets up cryptography, flags and logs, and calls the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use podrole_agent::{
    Args, ArgsError, Command, configuration, health_socket, host_dir,
    secret::{WIPING, Wiping},
};
use podrole_runtime::config;

/// The HTTP library and the SDKs copy tokens and keys. These copies are wiped when they are freed.
#[global_allocator]
static ALLOCATOR: Wiping = WIPING;

fn print(configuration: Result<String, ArgsError>) -> ExitCode {
    match configuration {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("podrole-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    podrole_runtime::crypto::install();
    let (args, matches) = config::parse::<Args>();
    if args.print.print_config {
        return print(configuration(&args, &matches));
    }
    let started = podrole_runtime::logging::init(&args.log_args()).map_err(anyhow::Error::msg);
    let ended = match (started, args.command.clone()) {
        (Err(error), _) => Err(error),
        (Ok(()), None) => podrole_agent::run(args).await,
        (Ok(()), Some(Command::Health { socket })) => {
            health_socket::ask(&socket).await.map_err(anyhow::Error::from)
        }
        (Ok(()), Some(Command::Setup { bind_hosts, once, folder, owner })) => {
            match folder.map_or(Ok(()), |folder| host_dir::prepare(&folder, owner)) {
                Ok(()) => podrole_agent::setup(&bind_hosts, once).await,
                Err(error) => Err(error.into()),
            }
        }
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
