//! `podrole associations`: turns associations of other tools into podrole's own objects, and back.
//!
//! ```text
//!   files, stdin ─► yaml ─► forms (one per tool) ─► entry ─► checked ─► merged ─► YAML, or applied
//!   EKS's API ────────────► forms::eks ───────────────┘        │
//!   cluster ───────────────────────────────────────────────────┴─► export: list, AWS CLI, Terraform
//! ```

mod annotated_pods;
mod apply;
mod base_role_arn;
mod checked;
mod cluster_name;
mod eks;
mod entry;
mod export;
mod failure;
mod finished;
mod forms;
mod from_cluster;
mod import;
mod input;
mod manifest;
mod merged;
mod node;
mod place;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Turn associations of other tools into podrole's, and back
#[derive(Args, Debug)]
pub(crate) struct AssociationsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(import::ImportArgs),
    Export(export::ExportArgs),
}

/// Runs the command. The exit code is 1 if the input has an error, and 2 if a flag, a file, the
/// cluster or EKS cannot be used.
pub(crate) async fn run(args: AssociationsArgs) -> ExitCode {
    let done = match args.command {
        Command::Import(args) => import::run(&args).await,
        Command::Export(args) => export::run(&args).await,
    };
    done.unwrap_or_else(|failure| failure.report())
}

#[cfg(test)]
mod tests;
