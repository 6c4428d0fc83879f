//! `podrole inject`: applies the webhook's changes to manifests, with the webhook's own code.

mod args;
mod documents;
mod output;
mod report;
mod reviewed;
mod summary;
mod unreadable;

use std::process::ExitCode;

use podrole_webhook::{InMemory, Metrics, ServiceAccounts, Settings, Webhook, cluster};

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
