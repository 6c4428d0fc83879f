//! `podrole associations import`.

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use clap::Args;
use podrole_webhook::cluster;

use super::{
    apply::{self, ApplyOptions},
    base_role_arn::BaseRoleArn,
    checked::Checked,
    cluster_name::ClusterName,
    eks,
    failure::Failure,
    finished::finished,
    input, manifest,
    merged::Merged,
};
use crate::progress::Progress;
use crate::{output, printable::printable};

/// Print podrole's associations for those of EKS, and for the roles of kOps, kube2iam and kiam
///
/// Reads the output of `aws eks describe-pod-identity-association`, PodIdentityAssociations of ACK
/// and Crossplane, an eksctl ClusterConfig, a Terraform state, an association list, kOps's ConfigMap
/// `pod-identity-webhook`, or pods and workloads with the annotation `iam.amazonaws.com/role`, and
/// prints PodIdentityAssociations (podrole.io/v1alpha1), sorted by name. What they cannot express is
/// a comment above the object.
///
/// Nothing is printed or applied if the input has an error: exit code 1, with all errors on standard
/// error. If a file, the cluster or EKS cannot be read, the exit code is 2.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  podrole associations import --from-eks shop > associations.yaml
  terraform show -json | podrole associations import -
  kubectl get pods -A -o json | podrole associations import -  kube2iam's and kiam's annotations
  podrole associations import -R infra/ --apply              ACK's, Crossplane's and eksctl's files")]
pub(super) struct ImportArgs {
    /// The files, or folders of `*.yaml`, `*.yml` and `*.json`; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "from_eks", conflicts_with = "from_eks")]
    file: Vec<PathBuf>,

    /// Read folders recursively
    #[arg(short = 'R', long, conflicts_with = "from_eks")]
    recursive: bool,

    /// Read the associations of this EKS cluster, with the AWS CLI's own configuration
    #[arg(long, value_name = "CLUSTER")]
    from_eks: Option<ClusterName>,

    /// What is before each role of kube2iam or kiam that is no ARN, as the flag of kube2iam
    #[arg(long, value_name = "ARN", conflicts_with = "from_eks")]
    base_role_arn: Option<BaseRoleArn>,

    /// Apply the associations to the cluster by server-side apply, after all of them are checked
    #[arg(long)]
    apply: bool,

    /// Take over fields that another field manager owns, as in kubectl
    #[arg(long, requires = "apply")]
    force_conflicts: bool,

    /// The kubeconfig of the cluster to apply to, in place of kubectl's
    #[arg(long, value_name = "FILE", requires = "apply")]
    kubeconfig: Option<PathBuf>,

    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) async fn run(args: &ImportArgs) -> Result<ExitCode, Failure> {
    let progress = Progress::new(args.quiet);
    let (all, notes) = finished(read(args, &progress).await, &progress)?;
    if !args.apply {
        output::print(&manifest::yaml(&all))?;
        return Ok(ExitCode::SUCCESS);
    }
    comments(&all, &notes);
    let kubeconfig = args.kubeconfig.as_deref();
    let client = cluster::connect(kubeconfig, None).await.map_err(anyhow::Error::from)?;
    let options = ApplyOptions { force: args.force_conflicts };
    Box::pin(apply::apply(client, &all, options, &progress)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn read(args: &ImportArgs, progress: &Progress) -> Result<Merged, Failure> {
    match &args.from_eks {
        Some(cluster) => Box::pin(eks::read(cluster, progress)).await,
        None => Ok(input::read(&args.file, args.recursive, args.base_role_arn.clone())?),
    }
}

/// Prints the comments of objects that are not printed, unless a note has said the same.
fn comments(all: &[Checked], notes: &[String]) {
    let notes: BTreeSet<&String> = notes.iter().collect();
    for checked in all {
        for comment in &checked.comments {
            let of = &checked.association.service_account;
            let comment = format!("{}: {of}: {comment}", checked.place);
            if !notes.contains(&comment) {
                anstream::eprintln!("{}", printable(&comment));
            }
        }
    }
}
