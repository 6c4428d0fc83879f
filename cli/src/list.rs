//! `podrole list`: the ServiceAccounts with a role.

mod report;
mod row;
#[cfg(test)]
mod tests;
mod text;

use std::process::ExitCode;

use clap::Args;
use podrole_identity::RoleArn;
use podrole_runtime::clock;

use crate::{
    cluster::ClusterArgs,
    identities::{Identities, Scope},
    output,
    progress::Progress,
    report::OutputArgs,
    settings::{ClusterSettings, SettingsArgs},
};
use report::ListReport;

/// List the ServiceAccounts with a role, and how many of their pods have it
///
/// One line for each ServiceAccount that a source names a role for: the source, the credential provider, whether the
/// namespace has a guard-rail, how many live pods have the provider and how many were missed, and the role. Only reads.
///
/// The exit code is 1 if pods were missed, 2 if the cluster cannot be used, and 3 if something could not be read.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// The namespace, in place of the kubeconfig's
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    /// Only what can become this role: ServiceAccounts whose sessions are of it or pass through it, and patterns that
    /// give it to ServiceAccounts that do not exist yet
    #[arg(long, value_name = "ARN")]
    role: Option<RoleArn>,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(crate) async fn run(args: ListArgs) -> ExitCode {
    args.output.choose_color();
    match list(&args).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => output::usage_error(&error),
    }
}

async fn list(args: &ListArgs) -> anyhow::Result<u8> {
    let progress = Progress::new(args.output.quiet);
    let (reader, own) = args.cluster.reader().await?;
    let scope = match &args.namespace {
        _ if args.all_namespaces => Scope::All,
        Some(namespace) => Scope::Namespace(namespace.clone()),
        None => Scope::Namespace(own),
    };
    let settings = ClusterSettings::read(&reader, &args.settings).await?;
    let read = Identities::read(&reader, &settings, &scope, &progress, clock::now()).await;
    let role = args.role.as_ref();
    let report = ListReport::of(&read, &settings, (&scope, role), args.output.strict);
    args.output.output.print(&report, || text::of(&report))?;
    Ok(report.exit_code())
}
