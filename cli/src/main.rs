//! The `podrole` command line tool.
#![forbid(unsafe_code)]

mod api_version;
mod associations;
mod aws_api;
mod aws_iam;
mod cluster;
mod codes;
mod completion;
mod demo;
mod diff;
mod doctor;
mod explain;
mod identities;
mod inject;
mod list;
mod manifests;
mod oidc;
mod output;
mod printable;
mod progress;
mod report;
mod revoke;
mod sandbox;
mod settings;
mod trust_policy;
mod whoami;
mod why;
mod yaml;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use podrole_runtime::config;

/// AWS IAM roles for pods on any Kubernetes cluster
#[derive(Parser)]
#[command(name = "podrole", version, max_term_width = 100)]
struct Podrole {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Associations(Box<associations::AssociationsArgs>),
    Completion(completion::CompletionArgs),
    Demo(demo::DemoArgs),
    Doctor(Box<doctor::DoctorArgs>),
    Explain(explain::ExplainArgs),
    Inject(inject::InjectArgs),
    List(Box<list::ListArgs>),
    Oidc(Box<oidc::OidcArgs>),
    Man(completion::ManArgs),
    Revoke(revoke::RevokeArgs),
    Sandbox(Box<podrole_sandbox::SandboxArgs>),
    TrustPolicy(Box<trust_policy::TrustPolicyArgs>),
    /// Print the AWS identity of the current environment, as an AWS SDK and STS see it
    Whoami(whoami::WhoamiArgs),
    Why(Box<why::WhyArgs>),
}

/// The name of the link by which kubectl finds its plugin.
const PLUGIN: &str = "kubectl-podrole";

/// The command line as a program of this name shows it.
fn command(called: &str) -> clap::Command {
    let name = std::path::Path::new(called).file_stem().unwrap_or_default();
    let command = Podrole::command();
    if name == PLUGIN { command.bin_name("kubectl podrole") } else { command }
}

fn main() -> ExitCode {
    podrole_runtime::crypto::install();
    let called = std::env::args_os().next().unwrap_or_default();
    let called = called.to_string_lossy().into_owned();
    let (Podrole { command }, matches) = config::parse_as::<Podrole>(command(&called));
    if let Command::Sandbox(args) = &command
        && args.print.print_config
        && let Some((name, matches)) = matches.subcommand()
        && let Some(sandbox) = Podrole::command().find_subcommand(name)
    {
        print!("{}", config::yaml(sandbox, matches, &[]));
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("podrole: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match command {
            Command::Associations(args) => associations::run(*args).await,
            Command::Completion(args) => completion::run(&args, Podrole::command()),
            Command::Demo(args) => demo::run(args).await,
            Command::Doctor(args) => doctor::run(*args).await,
            Command::Explain(args) => explain::run(&args),
            Command::Inject(args) => inject::run(args).await,
            Command::List(args) => list::run(*args).await,
            Command::Oidc(args) => oidc::run(*args).await,
            Command::Man(args) => completion::run_man(&args, Podrole::command()),
            Command::Revoke(args) => revoke::run(args).await,
            Command::Sandbox(args) => sandbox::run(*args).await,
            Command::TrustPolicy(args) => trust_policy::run(*args).await,
            Command::Whoami(args) => whoami::run(&args).await,
            Command::Why(args) => why::run(*args).await,
        }
    })
}
