//! The node agent's process: one crypto library, flags, logs, and over to the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use podrole_agent::{
    Args, ArgsError, Command, configuration, folder, health_socket,
    secret::{WIPING, Wiping},
};

/// The engine and the SDKs copy tokens and keys on their way: those are wiped here.
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
    let matches = Args::command().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if args.print_config {
        return print(configuration(&args, &matches));
    }
    let started = podrole_runtime::logging::init(&args.log_args()).map_err(anyhow::Error::msg);
    let ended = match (started, args.command.clone()) {
        (Err(error), _) => Err(error),
        (Ok(()), None) => podrole_agent::run(args).await,
        (Ok(()), Some(Command::Health { socket })) => {
            health_socket::ask(&socket).await.map_err(anyhow::Error::msg)
        }
        (Ok(()), Some(Command::Setup { bind_hosts, once, folder, owner })) => {
            match folder.map_or(Ok(()), |folder| folder::prepare(&folder, owner)) {
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
