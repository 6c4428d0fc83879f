//! The demo's flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use podrole_identity::CredentialProvider;

use crate::manifests::SourceArgs;

/// Watch a pod get AWS credentials on this machine, without a cluster, AWS account, root or network
///
/// Starts a sandbox AWS, the webhook and the agent on 127.0.0.1, sends the example pod through the
/// webhook, writes the tokens that the pod's new volumes request, and lets an AWS SDK use them with
/// both credential providers.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  podrole demo                                    the examples, with both providers
  podrole demo -f my-app.yaml                     your manifests
  podrole demo -- aws sts get-caller-identity     your command, as the pod
  podrole demo --provider container -- bash       a shell as the pod, through the agent")]
pub(crate) struct DemoArgs {
    /// Your manifests: YAML or JSON, also folders of them, with any mix of Namespace,
    /// ServiceAccount, Pod, Deployment, StatefulSet, DaemonSet, Job and CronJob; `-` is standard
    /// input
    #[arg(short, long = "filename", value_name = "FILE", num_args = 1..)]
    pub(crate) filename: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) sources: SourceArgs,

    /// The credential provider of the pod; default: both, or for a COMMAND the one that its
    /// ServiceAccount chooses
    #[arg(long, alias = "path", value_name = "PROVIDER")]
    pub(crate) provider: Option<ProviderChoice>,

    /// Show only this workload of the files, as name or kind/name
    #[arg(long, value_name = "WORKLOAD")]
    pub(crate) workload: Option<String>,

    /// Print one JSON object instead of text
    #[arg(long, conflicts_with = "command")]
    pub(crate) json: bool,

    /// A command to run as the pod: with the injected variables, no other AWS variables and no AWS
    /// configuration files; the demo exits with its exit code
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// The values of `--provider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProviderChoice {
    /// The SDK calls STS itself (as EKS's IRSA)
    WebIdentity,
    /// The SDK asks the agent (as EKS's Pod Identity)
    Container,
    /// One after the other
    Both,
}

impl DemoArgs {
    /// The providers to show, in order. `own` is the one that the ServiceAccount chooses.
    pub(crate) fn providers(&self, own: CredentialProvider) -> Vec<CredentialProvider> {
        match self.provider {
            Some(ProviderChoice::WebIdentity) => vec![CredentialProvider::WebIdentity],
            Some(ProviderChoice::Container) => vec![CredentialProvider::Container],
            None if !self.command.is_empty() => vec![own],
            None | Some(ProviderChoice::Both) => CredentialProvider::ALL.to_vec(),
        }
    }
}
