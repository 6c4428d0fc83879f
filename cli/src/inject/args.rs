//! The flags, and what they say about the cluster.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use podrole_identity::{
    AnnotationPrefix, AnnotationRules, Audience, CredentialProvider, EndpointUrl, GrantRules,
    InjectionDefault, PermittedEndpoints, SessionNameTemplate,
};
use podrole_webhook::{EndpointArgs, Settings, SettingsError};

use crate::manifests::SourceArgs;

/// Print manifests with the changes that the webhook would make
///
/// Reads YAML or JSON with any mix of Pods, workloads, ServiceAccounts and Namespaces, and prints
/// all of it with the webhook's additions to the pods. Existing text and comments are kept, and
/// lines are added. A document to which lines cannot be added is rewritten without its comments,
/// and named. One line for each workload on standard error says what its pods get.
///
/// If a pod that names a role gets nothing, or a document cannot be read, the exit code is 1 and no
/// manifest is printed, so that a pipe into `kubectl apply` applies nothing. If a file or the
/// cluster cannot be read, the exit code is 2.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  podrole inject -f my-app.yaml --diff                       show what would change
  podrole inject -f manifests/ -R --diff --why               explain each container, too
  helm template my-app | podrole inject -f - | kubectl apply -f -
  podrole inject -f pod.yaml --kubeconfig ~/.kube/config     with a cluster's ServiceAccounts")]
pub(crate) struct InjectArgs {
    /// The manifest files, or folders of `*.yaml`, `*.yml` and `*.json`; `-` is standard input
    #[arg(short, long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    pub(super) filename: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) sources: SourceArgs,

    /// Print only what would change
    #[arg(long)]
    pub(super) diff: bool,

    /// Print one line for each container with what is added to it, and why
    #[arg(long)]
    pub(super) why: bool,

    /// Print the manifests and exit with 0 even if a pod that names a role gets nothing
    #[arg(long)]
    pub(super) allow_missing: bool,

    /// Print a report instead of the manifests: `text` is the summary lines alone
    #[arg(short, long, value_name = "FORMAT", conflicts_with_all = ["diff", "why"])]
    pub(super) output: Option<Format>,

    /// Read ServiceAccounts and the guard-rails of Namespaces from this cluster, not from the files
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,

    /// Credential provider for ServiceAccounts that do not choose one: web-identity or container
    #[arg(long, default_value_t, value_name = "PROVIDER")]
    credentials: CredentialProvider,

    /// AWS region to set in containers that have none
    #[arg(long, value_name = "REGION")]
    aws_default_region: Option<String>,

    /// Which namespaces the cluster injects, as the chart's injection.default: `labelled`, or `all`
    /// except those labelled `disabled`
    #[arg(long, default_value_t, value_name = "labelled|all")]
    pub(super) injection_default: InjectionDefault,

    /// The audience of tokens of the provider web-identity, as the webhook's flag
    #[arg(long, default_value = "sts.amazonaws.com", value_name = "AUDIENCE")]
    token_audience: Audience,

    /// The role session name of the provider web-identity, as the webhook's flag
    #[arg(long, value_name = "TEMPLATE")]
    default_session_name: Option<SessionNameTemplate>,

    /// Prefix of the EKS-compatible annotations
    #[arg(long, default_value = "eks.amazonaws.com", value_name = "PREFIX")]
    annotation_prefix: AnnotationPrefix,

    /// One endpoint for every AWS service, as the webhook's flag; in local mode the sandbox's
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<EndpointUrl>,

    /// The endpoints that annotations may name, as the webhook's flags
    #[command(flatten)]
    endpoints: EndpointArgs,
}

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    Yaml,
}

impl InjectArgs {
    pub(super) fn settings(&self) -> Result<Settings, SettingsError> {
        let (own, permitted) = (self.endpoint_url.as_ref(), self.endpoints.permitted()?);
        Ok(Settings {
            annotations: AnnotationRules {
                prefix: self.annotation_prefix.clone(),
                ..AnnotationRules::default()
            },
            rules: GrantRules { default_provider: self.credentials, ..GrantRules::default() },
            sts_regional_endpoints: self.aws_default_region.is_some(),
            region: self.aws_default_region.clone(),
            audience: self.token_audience.clone(),
            session_name: self.default_session_name.clone(),
            endpoint_url: own.map(|url| url.as_str().to_owned()),
            cluster_domain: self.endpoints.cluster_domain.clone(),
            permitted_endpoints: own.cloned().into_iter().fold(permitted, PermittedEndpoints::with),
            ..Settings::default()
        })
    }
}
