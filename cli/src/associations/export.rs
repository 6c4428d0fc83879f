//! `podrole associations export`.

mod aws_cli;
mod list;
mod lost;
mod terraform;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use podrole_identity::Association;
use podrole_webhook::cluster;

use super::{
    cluster_name::ClusterName, failure::Failure, finished::finished, from_cluster, input,
    merged::Merged,
};
use crate::output;
use crate::progress::Progress;

/// Warnings that are listed; the rest is counted.
const SHOWN: usize = 20;

/// Print associations in the form of another tool
///
/// Reads PodIdentityAssociations, or any other form that `import` reads, from files or from the
/// cluster. What the other form cannot hold is named on standard error.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  podrole associations export --format list > associations.json
  podrole associations export --format aws-cli --cluster-name shop associations.yaml | bash -e
  podrole associations export --format terraform --cluster-name shop > associations.tf")]
pub(super) struct ExportArgs {
    /// The files, or folders of `*.yaml`, `*.yml` and `*.json`; `-` is standard input. Without one,
    /// the associations of the cluster are read
    #[arg(value_name = "FILE", conflicts_with = "kubeconfig")]
    file: Vec<PathBuf>,

    /// Read folders recursively
    #[arg(short = 'R', long)]
    recursive: bool,

    /// The form to print
    #[arg(long, value_name = "FORMAT")]
    format: Format,

    /// The EKS cluster of the exported associations
    #[arg(
        long,
        value_name = "NAME",
        required_if_eq_any([("format", "aws-cli"), ("format", "terraform")])
    )]
    cluster_name: Option<ClusterName>,

    /// The kubeconfig of the cluster to read, in place of kubectl's
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// podrole's association list, which has EKS's format and a few fields more
    List,
    /// A line of `aws eks create-pod-identity-association` for each, quoted for bash
    AwsCli,
    /// Resources `aws_eks_pod_identity_association`
    Terraform,
}

/// Runs the command.
pub(super) async fn run(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let progress = Progress::new(args.quiet);
    let (all, _) = finished(read(args, &progress).await, &progress)?;
    let all: Vec<Association> = all.into_iter().map(|checked| checked.association).collect();
    for warning in warnings(&all, args.format) {
        anstream::eprintln!("{warning}");
    }
    output::print(&text(&all, args.format, args.cluster_name.as_ref()))?;
    Ok(ExitCode::SUCCESS)
}

async fn read(args: &ExportArgs, progress: &Progress) -> Result<Merged, Failure> {
    if !args.file.is_empty() {
        return Ok(input::read(&args.file, args.recursive, None)?);
    }
    let kubeconfig = args.kubeconfig.as_deref();
    let client = cluster::connect(kubeconfig, None).await.map_err(anyhow::Error::from)?;
    Box::pin(from_cluster::read(client, progress)).await
}

/// The associations in the form. The forms for EKS need the cluster's name.
fn text(all: &[Association], format: Format, cluster: Option<&ClusterName>) -> String {
    match (format, cluster) {
        (Format::AwsCli, Some(cluster)) => aws_cli::text(all, cluster),
        (Format::Terraform, Some(cluster)) => terraform::text(all, cluster),
        _ => list::text(all),
    }
}

/// What the form cannot hold, one line for each association and field.
fn warnings(all: &[Association], format: Format) -> Vec<String> {
    let lost = all.iter().flat_map(|association| {
        let lost = lost::in_format(association, format == Format::List).into_iter();
        lost.map(|what| format!("{}: {what}", association.service_account))
    });
    let mut warnings: Vec<String> = lost.collect();
    let more = warnings.len().saturating_sub(SHOWN);
    if more > 0 {
        warnings.truncate(SHOWN);
        warnings.push(format!("... and {more} more fields that are lost"));
    }
    warnings
}

#[cfg(test)]
mod tests;
