//! `podrole inject`: applies the webhook's changes to manifests, with the webhook's own code.

mod documents;
mod report;
mod reviewed;
mod summary;
mod unreadable;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use podrole_identity::{AnnotationPrefix, AnnotationRules, CredentialProvider, GrantRules};
use podrole_webhook::{
    EndpointArgs, InMemory, Metrics, ServiceAccounts, Settings, SettingsError, Webhook, cluster,
};

use crate::{
    diff,
    manifests::{ContentError, ManifestError, Manifests, NOT_SEEN, Place, SourceArgs},
};
use documents::Documents;
use report::{InjectReport, WorkloadReport};
use reviewed::{ReviewedPod, applied};
use summary::printable;

/// What is said of a workload without pods, such as a patch of Kustomize.
const NO_POD_SPEC: &str = "it has no pod spec, so nothing is added";
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

    /// Prefix of the EKS-compatible annotations
    #[arg(long, default_value = "eks.amazonaws.com", value_name = "PREFIX")]
    annotation_prefix: AnnotationPrefix,

    /// The endpoints that annotations may name, as the webhook's flags
    #[command(flatten)]
    endpoints: EndpointArgs,
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

impl Printed {
    fn warn(&mut self, warning: &str) {
        let warning = printable(warning);
        self.stderr.push(format!("warning: {warning}"));
        self.report.warnings.push(warning);
    }
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

async fn output<S: ServiceAccounts>(
    args: &InjectArgs,
    manifests: &Manifests,
    webhook: &Webhook<S>,
) -> anyhow::Result<Printed> {
    let mut printed = Printed::default();
    let mut documents = Documents::new(manifests);
    let mut failed = !manifests.errors.is_empty();
    for error in &manifests.errors {
        printed.stderr.push(printable(&error.to_string()));
        printed.report.errors.push(error.to_string());
    }
    manifests.warnings.iter().for_each(|warning| printed.warn(&warning.to_string()));
    let mut explained = String::new();
    for workload in &manifests.workloads {
        let mut reviewed = ReviewedPod::review(webhook, workload, manifests).await?;
        for warning in applied(webhook, &workload.object).await {
            if !reviewed.warnings.contains(&warning) {
                reviewed.warnings.push(warning);
            }
        }
        let name = &workload.service_account;
        let known = args.kubeconfig.is_some() || manifests.service_accounts.contains_key(name);
        // Kubernetes creates the ServiceAccount `default` without a manifest.
        if !known && name.name() != "default" {
            let hint = "add its file, or use --kubeconfig";
            let warning = format!("ServiceAccount {name} is in none of the files; {hint}");
            reviewed.warnings.push(warning);
        }
        failed |= reviewed.state.is_error() && !args.allow_missing;
        printed.stderr.push(printable(&summary::line(workload, &reviewed)));
        if args.why {
            explained.push_str(&summary::why(workload, &reviewed));
        } else {
            let warnings = reviewed.warnings.iter().map(|it| {
                let at = manifests.place_of(&workload.object, &workload.template, it);
                format!("{at}: {workload}: warning: {}", printable(it))
            });
            printed.stderr.extend(warnings);
        }
        let changed = documents.apply(workload, &reviewed.operations)?;
        if args.diff {
            let heading =
                if args.why { String::new() } else { printable(&workload.to_string()) + "\n" };
            let nothing = if changed.is_empty() { "  no changes\n" } else { "" };
            explained.push_str(&format!("{heading}{changed}{nothing}"));
        }
        printed.report.workloads.push(WorkloadReport::new(workload, &reviewed));
    }
    let others = manifests.makers.iter().map(|object| (object, NOT_SEEN, "not_seen"));
    let bare = manifests.bare.iter().map(|object| (object, NO_POD_SPEC, "no_pod_spec"));
    for (object, message, state) in others.chain(bare) {
        printed.stderr.push(printable(&format!("{object}: {message}")));
        printed.report.workloads.push(WorkloadReport::of(object, state, message.to_owned()));
    }
    for object in &manifests.checked {
        for warning in applied(webhook, object).await {
            let at = manifests.place_of(object, &object.place.pointer, &warning);
            printed.warn(&format!("{at}: {object}: {warning}"));
        }
    }
    let written = documents.text();
    for index in &written.unwritable {
        let in_it = manifests.workloads.iter().filter(|it| it.object.place.document == *index);
        for workload in in_it {
            let Place { file, line, .. } = &workload.object.place;
            let error = ManifestError::new(file, *line, ContentError::NotWritable).of(workload);
            printed.stderr.push(printable(&error.to_string()));
            printed.report.errors.push(error.to_string());
            failed = true;
        }
    }
    printed.report.ok = !failed;
    printed.report.exit_code = u8::from(failed);
    printed.stdout = match args.output {
        Some(Format::Text) => String::new(),
        Some(Format::Json) => serde_json::to_string_pretty(&printed.report)? + "\n",
        Some(Format::Yaml) => diff::yaml(&serde_json::to_value(&printed.report)?),
        None if args.why || args.diff => explained,
        None if failed => String::new(),
        None => {
            for index in written.rewritten {
                let rewritten = manifests.workloads.iter();
                let in_it = rewritten.filter(|it| it.object.place.document == index);
                for workload in in_it {
                    let place = &workload.object.place;
                    let at = format!("{}:{}: {workload}", place.file, place.line);
                    printed.warn(&format!("{at}: its document is rewritten without comments"));
                }
            }
            written.text
        }
    };
    Ok(printed)
}

#[cfg(test)]
mod tests;
