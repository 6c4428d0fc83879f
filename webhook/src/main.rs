//! `podrole-webhook`: gives pods their AWS identity.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    podrole_runtime::crypto::install();
    match podrole_webhook::run(podrole_webhook::Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // One line for people: anyhow's own form would add a backtrace.
            eprintln!("podrole-webhook: {fault:#}");
            ExitCode::FAILURE
        }
    }
}
