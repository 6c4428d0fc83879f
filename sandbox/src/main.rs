//! The program `podrole-sandbox`.

use std::process::ExitCode;

use clap::Parser;
use podrole_sandbox::{SandboxArgs, run};

/// A small AWS STS and IAM that checks signatures, tokens and policies, for laptops, kind clusters and CI
#[derive(Parser)]
#[command(version)]
struct Program {
    #[command(flatten)]
    args: SandboxArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Program::parse().args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podrole-sandbox: {error:#}");
            ExitCode::from(2)
        }
    }
}
