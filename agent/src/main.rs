//! The node agent's process: one crypto library, flags, logs, and over to the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use podrole_agent::Args;

#[tokio::main]
async fn main() -> ExitCode {
    podrole_runtime::crypto::install();
    let args = Args::parse();
    let started = podrole_runtime::logging::init(&args.log_args()).map_err(anyhow::Error::msg);
    let ended = match started {
        Ok(()) => podrole_agent::run(args).await,
        Err(fault) => Err(fault),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // The logs may not exist yet.
            eprintln!("podrole-agent: {fault:#}");
            ExitCode::FAILURE
        }
    }
}
