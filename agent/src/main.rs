//! The node agent's process. It sets up cryptography, flags and logs, and calls the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use podrole_agent::{
    Args, configuration,
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
    podrole_agent::run(args).await
}
