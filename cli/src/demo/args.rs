//! The demo's flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use podrole_identity::CredentialProvider;

/// See a pod become an IAM role, on this machine: no cluster, no AWS account, no root, no network
///
/// Starts a sandbox AWS, the webhook and the agent on loopback, sends the example pod through the
/// webhook, writes the tokens that it then asks for, and lets an AWS SDK use them by both ways.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  podrole demo                                    the examples, both ways
  podrole demo -f my-app.yaml                     your own manifests
  podrole demo -- aws sts get-caller-identity     your own command, as the pod
  podrole demo --path container -- bash           a shell as the pod, by the agent")]
pub(crate) struct DemoArgs {
    /// Your own manifests: YAML or JSON with any mix of Namespace, ServiceAccount, Pod,
    /// Deployment, StatefulSet, DaemonSet, Job and CronJob; `-` is standard input
    #[arg(short, long = "filename", value_name = "FILE", num_args = 1..)]
    pub(crate) filename: Vec<PathBuf>,

    /// Which way the pod gets its credentials; without it both, or, for a COMMAND, the one that
    /// its ServiceAccount chooses
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<PathChoice>,

    /// The workload to show, as name or kind/name, where the files hold several
    #[arg(long, value_name = "WORKLOAD")]
    pub(crate) workload: Option<String>,

    /// Print one JSON object instead of the story
    #[arg(long, conflicts_with = "command")]
    pub(crate) json: bool,

    /// A command to run as the pod: with the injected variables, no other AWS variable and no AWS
    /// configuration files; its exit code becomes the demo's
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// `--path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PathChoice {
    /// The SDK asks STS itself (EKS's IRSA)
    WebIdentity,
    /// The SDK asks the agent (EKS's Pod Identity)
    Container,
    /// One after the other
    Both,
}

impl DemoArgs {
    /// The ways to go; `own` is the one that the ServiceAccount chooses.
    pub(crate) fn paths(&self, own: CredentialProvider) -> Vec<CredentialProvider> {
        match self.path {
            Some(PathChoice::WebIdentity) => vec![CredentialProvider::WebIdentity],
            Some(PathChoice::Container) => vec![CredentialProvider::Container],
            None if !self.command.is_empty() => vec![own],
            None | Some(PathChoice::Both) => {
                vec![CredentialProvider::WebIdentity, CredentialProvider::Container]
            }
        }
    }
}
