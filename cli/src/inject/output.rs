//! The lines, the report and the manifests of a run.

use std::collections::BTreeSet;

use podrole_webhook::{ServiceAccounts, Webhook};

use super::{
    args::{Format, InjectArgs},
    documents::{Documents, Written},
    report::{InjectReport, WorkloadReport},
    reviewed::{ReviewedPod, applied},
    summary,
};
use crate::{
    diff,
    manifests::{ContentError, ManifestError, Manifests, NOT_SEEN, Place, Workload},
    printable::printable,
};

/// What is said of a workload without pods, such as a patch of Kustomize.
const NO_POD_SPEC: &str = "it has no pod spec, so nothing is added";

/// What a run prints.
#[derive(Debug, Default)]
pub(super) struct Printed {
    pub(super) stdout: String,
    pub(super) stderr: Vec<String>,
    pub(super) report: InjectReport,
}

pub(super) async fn output<S: ServiceAccounts>(
    args: &InjectArgs,
    manifests: &Manifests,
    webhook: &Webhook<S>,
) -> anyhow::Result<Printed> {
    let mut printed = Printed::default();
    manifests.errors.iter().for_each(|error| printed.error(error));
    manifests.warnings.iter().for_each(|warning| printed.warn(&warning.to_string()));
    let mut documents = Documents::new(manifests);
    let mut all = Vec::new();
    for workload in &manifests.workloads {
        let reviewed = review(args, manifests, webhook, workload).await?;
        printed.workload(args, manifests, workload, &reviewed);
        documents.apply(workload, &reviewed.operations)?;
        all.push(reviewed);
    }
    let written = documents.write();
    for workload in in_documents(manifests, &written.unwritable) {
        let Place { file, line, .. } = &workload.object.place;
        printed.error(&ManifestError::new(file, *line, ContentError::NotWritable).of(workload));
    }
    printed.others(manifests);
    for object in &manifests.checked {
        for warning in applied(webhook, object).await {
            let at = manifests.place_of(object, &object.place.pointer, &warning);
            printed.warn(&format!("{at}: {object}: {warning}"));
        }
    }
    let missing = all.iter().any(|reviewed| reviewed.state.is_error());
    let broken = !printed.report.errors.is_empty();
    let failed = broken || missing && !args.allow_missing;
    printed.report.ok = !broken && !missing;
    printed.report.exit_code = u8::from(failed);
    printed.stdout = match args.output {
        Some(Format::Text) => String::new(),
        Some(Format::Json) => serde_json::to_string_pretty(&printed.report)? + "\n",
        Some(Format::Yaml) => diff::yaml(&serde_json::to_value(&printed.report)?),
        None if args.why || args.diff => explained(args, manifests, &all, &written),
        None if failed => String::new(),
        None => {
            for workload in in_documents(manifests, &written.rewritten) {
                let place = &workload.object.place;
                let at = format!("{}:{}: {workload}", place.file, place.line);
                printed.warn(&format!("{at}: its document is rewritten without comments"));
            }
            written.text()
        }
    };
    Ok(printed)
}

async fn review<S: ServiceAccounts>(
    args: &InjectArgs,
    manifests: &Manifests,
    webhook: &Webhook<S>,
    workload: &Workload,
) -> anyhow::Result<ReviewedPod> {
    let mut reviewed =
        ReviewedPod::review(webhook, workload, manifests, args.injection_default).await?;
    for warning in applied(webhook, &workload.object).await {
        if !reviewed.warnings.contains(&warning) {
            reviewed.warnings.push(warning);
        }
    }
    let name = &workload.service_account;
    let error = manifests.error_in(&format!("ServiceAccount {name}"));
    if let Some(error) = error.filter(|_| args.kubeconfig.is_none()) {
        let why = format!("ServiceAccount {name} cannot be read; fix {error} first");
        return Ok(reviewed.undecided(why));
    }
    let known = args.kubeconfig.is_some() || manifests.service_accounts.contains_key(name);
    // Kubernetes creates the ServiceAccount `default` without a manifest.
    if !known && name.name() != "default" {
        let hint = "add its file, or use --kubeconfig";
        let warning = format!("ServiceAccount {name} is in none of the files; {hint}");
        reviewed.warnings.push(warning);
    }
    Ok(reviewed)
}

/// The workloads of these documents.
fn in_documents<'a>(
    manifests: &'a Manifests,
    documents: &BTreeSet<usize>,
) -> impl Iterator<Item = &'a Workload> {
    manifests.workloads.iter().filter(|it| documents.contains(&it.object.place.document))
}

/// What `--why` and `--diff` print.
fn explained(
    args: &InjectArgs,
    manifests: &Manifests,
    all: &[ReviewedPod],
    written: &Written<'_>,
) -> String {
    let mut explained = String::new();
    for (index, (workload, reviewed)) in manifests.workloads.iter().zip(all).enumerate() {
        if args.why {
            explained.push_str(&summary::why(workload, reviewed));
        } else {
            explained.push_str(&(printable(&workload.to_string()) + "\n"));
        }
        if !args.diff {
            continue;
        }
        if reviewed.operations.is_empty() {
            explained.push_str("  no changes\n");
        } else {
            let next = manifests.workloads.get(index + 1);
            explained.push_str(&written.diff(workload, next));
        }
    }
    explained
}

impl Printed {
    fn error(&mut self, error: &ManifestError) {
        self.stderr.push(printable(&error.to_string()));
        self.report.errors.push(error.to_string());
    }

    fn warn(&mut self, warning: &str) {
        let warning = printable(warning);
        self.stderr.push(format!("warning: {warning}"));
        self.report.warnings.push(warning);
    }

    fn workload(
        &mut self,
        args: &InjectArgs,
        manifests: &Manifests,
        workload: &Workload,
        reviewed: &ReviewedPod,
    ) {
        self.stderr.push(printable(&summary::line(workload, reviewed)));
        // `--why` has the warnings on standard output.
        if !args.why {
            let warnings = reviewed.warnings.iter().map(|it| {
                let at = manifests.place_of(&workload.object, &workload.template, it);
                format!("{at}: {workload}: warning: {}", printable(it))
            });
            self.stderr.extend(warnings);
        }
        self.report.workloads.push(WorkloadReport::new(workload, reviewed));
    }

    /// Objects that are not reviewed.
    fn others(&mut self, manifests: &Manifests) {
        let others = manifests.makers.iter().map(|object| (object, NOT_SEEN, "not_seen"));
        let bare = manifests.bare.iter().map(|object| (object, NO_POD_SPEC, "no_pod_spec"));
        for (object, message, state) in others.chain(bare) {
            self.stderr.push(printable(&format!("{object}: {message}")));
            self.report.workloads.push(WorkloadReport::of(object, state, message.to_owned()));
        }
    }
}
