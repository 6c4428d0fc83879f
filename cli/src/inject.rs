//! `podrole inject`: applies the webhook's changes to manifests, with the webhook's own code.

mod documents;
mod output;
mod report;
mod reviewed;
mod summary;
mod unreadable;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use podrole_identity::{
    AnnotationPrefix, AnnotationRules, Audience, CredentialProvider, GrantRules, INJECTION_LABEL,
    Injection, SessionNameTemplate, pod_opts_out,
};
use podrole_webhook::{
    EndpointArgs, InMemory, Metrics, ServiceAccounts, Settings, SettingsError, Webhook, cluster,
};

use crate::manifests::{Manifests, SourceArgs};
use output::output;
use report::InjectReport;

/// The exit code if a file, a flag or the cluster cannot be used.
const USAGE: u8 = 2;

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
    filename: Vec<PathBuf>,

    #[command(flatten)]
    sources: SourceArgs,

    /// Print only what would change
    #[arg(long)]
    diff: bool,

    /// Print one line for each container with what is added to it, and why
    #[arg(long)]
    why: bool,

    /// Print the manifests and exit with 0 even if a pod that names a role gets nothing
    #[arg(long)]
    allow_missing: bool,

    /// Print a report instead of the manifests: `text` is the summary lines alone
    #[arg(short, long, value_name = "FORMAT", conflicts_with_all = ["diff", "why"])]
    output: Option<Format>,

    /// Read ServiceAccounts and the guard-rails of Namespaces from this cluster, not from the files
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Credential provider for ServiceAccounts that do not choose one: web-identity or container
    #[arg(long, default_value_t, value_name = "PROVIDER")]
    credentials: CredentialProvider,

    /// AWS region to set in containers that have none
    #[arg(long, value_name = "REGION")]
    aws_default_region: Option<String>,

    /// Which namespaces the cluster injects, as the chart's injection.default: `labelled`, or `all`
    /// except those labelled `disabled`
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    injection_default: InjectionDefault,

    /// The audience of tokens of the provider web-identity, as the webhook's flag
    #[arg(long, default_value = "sts.amazonaws.com", value_name = "AUDIENCE")]
    token_audience: Audience,

    /// The role session name of the provider web-identity, as the webhook's flag
    #[arg(long, value_name = "TEMPLATE")]
    default_session_name: Option<SessionNameTemplate>,

    /// Prefix of the EKS-compatible annotations
    #[arg(long, default_value = "eks.amazonaws.com", value_name = "PREFIX")]
    annotation_prefix: AnnotationPrefix,

    /// The endpoints that annotations may name, as the webhook's flags
    #[command(flatten)]
    endpoints: EndpointArgs,
}

/// Which namespaces a cluster injects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum InjectionDefault {
    #[default]
    Labelled,
    All,
}

impl InjectionDefault {
    /// What a namespace with this label, or without it, asks for.
    fn of_namespace(self, label: Option<&str>) -> Option<Injection> {
        // The value that opts a pod out opts a namespace out, too.
        let disabled = pod_opts_out(|name| label.filter(|_| name == INJECTION_LABEL));
        let default = Some(Injection::Enabled).filter(|_| self == Self::All && !disabled);
        Injection::of_namespace(label).or(default)
    }
}

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Yaml,
}

impl InjectArgs {
    fn settings(&self) -> Result<Settings, SettingsError> {
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
            permitted_endpoints: self.endpoints.permitted()?,
            ..Settings::default()
        })
    }
}

/// What a run prints.
#[derive(Debug, Default)]
struct Printed {
    stdout: String,
    stderr: Vec<String>,
    report: InjectReport,
}

/// Runs the command. The exit code is 0 if each pod that names a role gets it, or one of them is
/// allowed to get nothing.
pub(crate) async fn run(args: InjectArgs) -> ExitCode {
    match inject(&args).await {
        Ok(printed) => {
            for line in &printed.stderr {
                anstream::eprintln!("{line}");
            }
            anstream::print!("{}", printed.stdout);
            ExitCode::from(printed.report.exit_code)
        }
        Err(error) => {
            anstream::eprintln!("podrole: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}

async fn inject(args: &InjectArgs) -> anyhow::Result<Printed> {
    let sources = args.sources.read(&args.filename)?;
    let manifests = Manifests::read(sources, &args.sources.namespace);
    let settings = args.settings()?;
    let Some(kubeconfig) = &args.kubeconfig else {
        let service_accounts = from_files(&manifests, &settings);
        return output(args, &manifests, &webhook(service_accounts, settings)).await;
    };
    let client = cluster::connect(Some(kubeconfig), None).await?;
    let service_accounts = cluster::ask(client, settings.annotations.clone());
    output(args, &manifests, &webhook(service_accounts, settings)).await
}

fn webhook<S: ServiceAccounts>(service_accounts: S, settings: Settings) -> Webhook<S> {
    Webhook::new(service_accounts, settings, Metrics::default())
}

fn from_files(manifests: &Manifests, settings: &Settings) -> InMemory {
    let all = manifests.service_accounts.iter();
    let all = all
        .map(|(name, annotations)| (name.clone(), settings.annotations.read(annotations.clone())));
    let all: InMemory = all.collect();
    manifests.guard_rails.iter().fold(all, |all, (namespace, guard_rail)| {
        all.with_guard_rail(namespace, guard_rail.clone())
    })
}

#[cfg(test)]
mod tests;
