//! `podrole inject`: manifests as the webhook would leave them, by the webhook's own code.

mod documents;
mod kept;
mod reviewed;
mod splice;

use std::{io::Read as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use podrole_identity::{AnnotationPrefix, AnnotationRules, CredentialProvider, GrantRules};
use podrole_webhook::{InMemory, Metrics, ServiceAccounts, Settings, Webhook, cluster};

use crate::manifests::{Manifests, Source};
use documents::Documents;
use reviewed::Reviewed;

/// Print manifests as the webhook would leave them
///
/// Reads YAML or JSON with any mix of Pods, workloads, ServiceAccounts and Namespaces, and prints
/// all of it with what the webhook adds to the pods. The text is kept as it is, comments too, and
/// lines are added to it. A document that lines cannot simply be added to (one in flow style, like
/// {a: b}, or with a value that changes) is written anew, without its comments; a note says so.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  podrole inject -f my-app.yaml --diff                       what would change
  podrole inject -f my-app.yaml --why                        a line for each container
  helm template my-app | podrole inject -f - | kubectl apply -f -
  podrole inject -f pod.yaml --kubeconfig ~/.kube/config     ServiceAccounts of a cluster")]
pub(crate) struct InjectArgs {
    /// The manifests; `-` is standard input
    #[arg(short, long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,

    /// Show what changes instead
    #[arg(long, conflicts_with = "why")]
    diff: bool,

    /// Tell of each container in a line what becomes of it, and why
    #[arg(long)]
    why: bool,

    /// Read the ServiceAccounts and Namespaces from a cluster, not from the files
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The way of pods whose ServiceAccount does not choose: web-identity or container
    #[arg(long, default_value_t, value_name = "PATH")]
    credentials: CredentialProvider,

    /// The region that containers are told, unless they know one
    #[arg(long, value_name = "REGION")]
    aws_default_region: Option<String>,

    /// What stands before the slash of EKS's annotations
    #[arg(long, default_value = "eks.amazonaws.com", value_name = "PREFIX")]
    annotation_prefix: AnnotationPrefix,
}

impl InjectArgs {
    fn settings(&self) -> Settings {
        Settings {
            annotations: AnnotationRules {
                prefix: self.annotation_prefix.clone(),
                ..AnnotationRules::default()
            },
            rules: GrantRules { default_provider: self.credentials, ..GrantRules::default() },
            sts_regional_endpoints: self.aws_default_region.is_some(),
            region: self.aws_default_region.clone(),
            ..Settings::default()
        }
    }

    fn sources(&self) -> anyhow::Result<Vec<Source>> {
        let read = self.filename.iter().map(|path| {
            let file = path.display().to_string();
            let text = if file == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            } else {
                std::fs::read_to_string(path)
            };
            let text = text.with_context(|| format!("cannot read {file}"))?;
            Ok(Source { file, text })
        });
        read.collect()
    }
}

/// Injects. The exit code is 0 if everything could be read and decided.
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
    let settings = args.settings();
    let Some(kubeconfig) = &args.kubeconfig else {
        let accounts = from_files(&manifests, &settings);
        return told(args, documents, &manifests, &by(accounts, settings)).await;
    };
    let client = cluster::connect(Some(kubeconfig), None).await?;
    let accounts = cluster::ask(client, settings.annotations.clone());
    told(args, documents, &manifests, &by(accounts, settings)).await
}

fn by<S: ServiceAccounts>(accounts: S, settings: Settings) -> Webhook<S> {
    Webhook::new(accounts, settings, Metrics::default())
}

fn from_files(manifests: &Manifests, settings: &Settings) -> InMemory {
    let reading = settings.annotations.clone();
    let accounts = manifests.service_accounts.iter();
    let accounts = accounts.map(|(account, said)| (account.clone(), reading.read(said.clone())));
    let accounts: InMemory = accounts.collect();
    manifests.guard_rails.iter().fold(accounts, |accounts, (namespace, permitted)| {
        accounts.with_permitted_roles(namespace, permitted.clone())
    })
}

/// What is printed. Warnings go to standard error where the manifests go to standard output.
async fn told<S: ServiceAccounts>(
    args: &InjectArgs,
    mut documents: Documents,
    manifests: &Manifests,
    webhook: &Webhook<S>,
) -> anyhow::Result<String> {
    let mut text = String::new();
    for index in 0..documents.pods().len() {
        let pod = &documents.pods()[index];
        let reviewed = Reviewed::by(webhook, &pod.workload, manifests).await?;
        let account = &pod.workload.service_account;
        if args.kubeconfig.is_none() && !manifests.service_accounts.contains_key(account) {
            let mend = "give its file too, or --kubeconfig";
            anstream::eprintln!("note: the files have no ServiceAccount {account}; {mend}");
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
            let nothing = if changed.is_empty() { "  nothing changes\n" } else { "" };
            text.push_str(&format!("{}\n{changed}{nothing}", reviewed.workload));
        }
    }
    if !args.why && !args.diff {
        let anew;
        (text, anew) = documents.yaml();
        if anew > 0 {
            anstream::eprintln!("note: {anew} documents were written anew, without comments");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
