//! `podrole oidc`: the cluster's issuer where AWS can read it.
//!
//! ```text
//!   publish: API servers ─► source ─► publication (pure) ─► target: a folder, S3
//!   check: API servers, fresh tokens, origin (the issuer's URL, or a target) ─► findings (pure)
//!   rotate: the same, and records ─► stage (pure) ─► the next step
//!   provider: the issuer ─► the call that creates IAM's provider
//! ```

mod check;
mod documents;
mod issuer_url;
mod key;
mod origin;
mod provider;
mod publication;
mod publish;
mod publish_command;
mod records;
mod report;
mod rotate;
mod source;
mod target;
mod token;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::output;
pub(crate) use documents::DISCOVERY;

/// Publish the issuer of the cluster's tokens for AWS, without EKS
///
/// IAM accepts the tokens of a cluster if it can read the cluster's OIDC documents at a public URL. Key files
/// are never read, and nothing is changed in the cluster or in IAM.
#[derive(Args, Debug)]
pub(crate) struct OidcArgs {
    #[command(subcommand)]
    command: OidcCommand,
}

#[derive(Subcommand, Debug)]
enum OidcCommand {
    Check(check::CheckArgs),
    Publish(publish::PublishArgs),
    Provider(provider::ProviderArgs),
    Rotate(rotate::RotateArgs),
}

/// Runs the command. The exit code is 2 if the cluster, the target or the flags cannot be used.
pub(crate) async fn run(args: OidcArgs) -> ExitCode {
    let result = match &args.command {
        OidcCommand::Check(args) => check::run(args).await,
        OidcCommand::Publish(args) => publish::run(args).await,
        OidcCommand::Provider(args) => provider::run(args).await,
        OidcCommand::Rotate(args) => rotate::run(args).await,
    };
    result.unwrap_or_else(|error| output::usage_error(&error))
}
