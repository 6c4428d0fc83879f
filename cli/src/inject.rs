//! `podrole inject`: applies the webhook's changes to manifests, with the webhook's own code.

mod args;
mod documents;
mod output;
mod report;
mod reviewed;
mod summary;
mod unreadable;

use std::process::ExitCode;

use podrole_identity::{Guardrails, Kind, Patterns, RawObject};
use podrole_runtime::latest::Latest;
use podrole_webhook::{
    InMemory, Metrics, ServiceAccount, ServiceAccounts, Settings, Webhook, cluster,
    sources::ConfiguredSources,
};

use crate::manifests::Manifests;
pub(crate) use args::InjectArgs;
use output::{Printed, output};

/// The exit code if a file, a flag or the cluster cannot be used.
const USAGE: u8 = 2;

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
        let webhook = webhook(from_files(&manifests, &settings), settings);
        let webhook = webhook.with_sources(selecting(&manifests));
        return output(args, &manifests, &webhook).await;
    };
    let client = cluster::connect(Some(kubeconfig), None).await?;
    let (sources, warnings) = cluster::selecting(&client).await?;
    for warning in warnings {
        anstream::eprintln!("podrole: {warning}");
    }
    let service_accounts = cluster::ask(client, settings.annotations.clone());
    let webhook = webhook(service_accounts, settings).with_sources(sources);
    output(args, &manifests, &webhook).await
}

fn webhook<S: ServiceAccounts>(service_accounts: S, settings: Settings) -> Webhook<S> {
    Webhook::new(service_accounts, settings, Metrics::default())
}

fn from_files(manifests: &Manifests, settings: &Settings) -> InMemory {
    let all = manifests.service_accounts.iter();
    let all = all.map(|(name, annotations)| {
        let annotations = settings.annotations.read(annotations.clone());
        let labels = manifests.service_account_labels.get(name).cloned().unwrap_or_default();
        (name.clone(), ServiceAccount { annotations, labels })
    });
    let all: InMemory = all.collect();
    let all = manifests.guard_rails.iter().fold(all, |all, (namespace, guard_rail)| {
        all.with_namespace(namespace, guard_rail.clone())
    });
    let associations = manifests.objects.iter().filter(|((kind, _), _)| *kind == Kind::Association);
    associations.fold(all, |all, ((_, name), spec)| all.with_association(name, spec))
}

/// The patterns and guard-rails of the files.
fn selecting(manifests: &Manifests) -> ConfiguredSources {
    let of = |wanted: Kind| {
        let objects = manifests.objects.iter().filter(move |((kind, _), _)| *kind == wanted);
        objects.map(|((_, name), spec)| RawObject { name, created: None, spec })
    };
    ConfiguredSources {
        patterns: Some(Latest::from(Patterns::read(of(Kind::Pattern)))),
        guardrails: Some(Latest::from(Guardrails::read(of(Kind::Guardrail)))),
        ..ConfiguredSources::default()
    }
}

#[cfg(test)]
mod tests;
