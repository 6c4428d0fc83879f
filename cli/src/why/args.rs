//! The flags of `podrole why`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::target::Target;
use crate::{
    cluster::ClusterArgs, report::OutputArgs, settings::SettingsArgs, trust_policy::SourcePrincipal,
};

/// Explain why a pod does not get its AWS role, and print the commands that fix it
///
/// Follows the chain from the pod to its role: namespace, webhook, what is injected, the source of the role, other
/// credentials, network. The first line is the verdict. Reads only. AWS is asked with --aws alone.
///
/// The exit code is 0 if nothing is wrong, 1 if there is an error, 2 for usage errors, and 3 if nothing is wrong but
/// something could not be read; the missing right is named then.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  podrole why web-7d4b9c-x2x8q -n shop       one pod
  podrole why deployment/web -n shop         the newest pod of a workload, and whether the others agree
  podrole why sa/app -n shop                 a pod of a ServiceAccount, and the secret stores that use it
  podrole why deployment/web -n shop --aws   also the role's trust policy and the OIDC provider in AWS
  podrole why -f manifests/ -R               before anything is applied, without a cluster")]
pub(crate) struct WhyArgs {
    /// POD, KIND/NAME (deployment, statefulset, daemonset, replicaset, job, cronjob) or sa/NAME
    #[arg(value_name = "TARGET", required_unless_present = "filename")]
    target: Option<Target>,

    /// Examine the workloads of these manifests instead of a cluster's: files, folders, or `-` for standard input
    #[arg(short, long = "filename", value_name = "FILE", num_args = 1..)]
    pub(super) filename: Vec<PathBuf>,

    /// Read folders recursively
    #[arg(short = 'R', long, requires = "filename")]
    pub(super) recursive: bool,

    /// The namespace; by default that of the context, and with -f `default`
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,

    #[command(flatten)]
    pub(super) aws: AwsArgs,

    #[command(flatten)]
    pub(super) cluster: ClusterArgs,

    #[command(flatten)]
    pub(super) settings: SettingsArgs,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is asked about AWS's side.
#[derive(Args, Debug)]
pub(crate) struct AwsArgs {
    /// Ask AWS, with the credentials of the AWS CLI: the role, its trust policy, the OIDC provider
    #[arg(long)]
    pub(super) aws: bool,

    /// Examine this trust policy of the first role, in place of what AWS has; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "aws")]
    pub(super) trust: Option<String>,

    /// The ARN of the agent's own role or user, which the exchange assume-role calls AWS with
    #[arg(long, value_name = "ARN")]
    pub(super) principal: Option<SourcePrincipal>,
}

impl WhyArgs {
    /// The target.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn target(&self) -> anyhow::Result<&Target> {
        self.target.as_ref().context("name what to examine, for example deployment/web")
    }

    /// The target within files, if one is named.
    pub(super) fn wanted(&self) -> Option<&Target> {
        self.target.as_ref()
    }
}
