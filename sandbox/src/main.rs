//! The program `podrole-sandbox`.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use podrole_runtime::config;
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
    let (program, matches) = config::parse::<Program>();
    if program.args.print.print_config {
        print!("{}", config::yaml(&Program::command(), &matches, &[]));
        return ExitCode::SUCCESS;
    }
    match run(program.args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podrole-sandbox: {error:#}");
            ExitCode::from(2)
        }
    }
}
