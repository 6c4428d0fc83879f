//! `podrole inject`: applies the webhook's changes to manifests, with the webhook's own code.

mod documents;
mod file_text;
mod reviewed;
mod splice;

use std::{io::Read as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use podrole_identity::{AnnotationPrefix, AnnotationRules, CredentialProvider, GrantRules};
use podrole_webhook::{
    EndpointArgs, InMemory, Metrics, ServiceAccounts, Settings, SettingsError, Webhook, cluster,
};

use crate::manifests::{Manifests, SourceFile};
use documents::Documents;
use reviewed::ReviewedPod;

/// Print manifests with the changes that the webhook would make
///
/// Reads YAML or JSON with any mix of Pods, workloads, ServiceAccounts and Namespaces, and prints
/// all of it with the webhook's additions to the pods. Existing text and comments are kept, and
/// lines are added. A document to which lines cannot be added (in flow style, like {a: b}, or with
/// a value that changes) is rewritten without its comments, and a note is printed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  podrole inject -f my-app.yaml --diff                       show what would change
  podrole inject -f my-app.yaml --why                        explain each container
  helm template my-app | podrole inject -f - | kubectl apply -f -
  podrole inject -f pod.yaml --kubeconfig ~/.kube/config     with a cluster's ServiceAccounts")]
pub(crate) struct InjectArgs {
    /// The manifest files; `-` is standard input
    #[arg(short, long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,

    /// Print only what would change
    #[arg(long, conflicts_with = "why")]
    diff: bool,

    /// Print one line for each container with what is added to it, and why
    #[arg(long)]
    why: bool,

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

    fn sources(&self) -> anyhow::Result<Vec<SourceFile>> {
        let read = self.filename.iter().map(|path| {
            let file = path.display().to_string();
            let text = if file == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            } else {
                std::fs::read_to_string(path)
            };
            let text = text.with_context(|| format!("could not read {file}"))?;
            Ok(SourceFile { file, text })
        });
        read.collect()
    }
}

/// Runs the command. The exit code is 0 if everything could be read and decided.
pub(crate) async fn run(args: InjectArgs) -> ExitCode {
    match inject(&args).await {
        Ok(text) => {
            anstream::print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            anstream::eprintln!("podrole: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn inject(args: &InjectArgs) -> anyhow::Result<String> {
    let sources = args.sources()?;
    let manifests = Manifests::read(&sources)?;
    let documents = Documents::read(&sources)?;
    let settings = args.settings()?;
    let Some(kubeconfig) = &args.kubeconfig else {
        let service_accounts = from_files(&manifests, &settings);
        return output(args, documents, &manifests, &webhook(service_accounts, settings)).await;
    };
    let client = cluster::connect(Some(kubeconfig), None).await?;
    let service_accounts = cluster::ask(client, settings.annotations.clone());
    output(args, documents, &manifests, &webhook(service_accounts, settings)).await
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

/// Returns what is printed on standard output. Warnings go to standard error, unless they are part
/// of `--why`.
async fn output<S: ServiceAccounts>(
    args: &InjectArgs,
    mut documents: Documents,
    manifests: &Manifests,
    webhook: &Webhook<S>,
) -> anyhow::Result<String> {
    let mut text = String::new();
    for index in 0..documents.pods().len() {
        let pod = &documents.pods()[index];
        let reviewed = ReviewedPod::review(webhook, &pod.workload, manifests).await?;
        let name = &pod.workload.service_account;
        if args.kubeconfig.is_none() && !manifests.service_accounts.contains_key(name) {
            let hint = "add its file, or use --kubeconfig";
            anstream::eprintln!("note: the files do not contain ServiceAccount {name}; {hint}");
        }
        let before = documents.yaml_of(index);
        documents.apply(index, &reviewed.operations)?;
        if args.why {
            text.push_str(&reviewed.why());
        } else {
            for warning in &reviewed.warnings {
                anstream::eprintln!("{}: {warning}", reviewed.workload);
            }
        }
        if args.diff {
            let changed = crate::diff::texts(&before, &documents.yaml_of(index));
            let nothing = if changed.is_empty() { "  no changes\n" } else { "" };
            text.push_str(&format!("{}\n{changed}{nothing}", reviewed.workload));
        }
    }
    if !args.why && !args.diff {
        let rewritten;
        (text, rewritten) = documents.yaml();
        if rewritten > 0 {
            anstream::eprintln!("note: {rewritten} documents were rewritten without comments");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
