//! Which workloads of the files are tried, and why the others are not.

use podrole_identity::{
    AnnotationPrefix, CredentialProvider, INJECTION_ENABLED, INJECTION_LABEL, Injection,
    ServiceAccountAnnotations, pod_opts_out,
};
use podrole_webhook::pod::PodView;
use serde_json::Value;

use super::{DemoArgs, Failure};
use crate::manifests::{Manifests, Workload};

/// What the demo does with a workload.
pub(crate) enum Plan {
    /// `assumed` is the namespace, if it is in none of the files and so counts as opted in.
    Try { assumed: Option<String> },
    /// It names no role, or cannot run here.
    Skip { reason: String, names_a_role: bool },
    /// It names a role that its pods would not get.
    Fail(Failure),
}

/// The workloads that the user asks for.
pub(crate) fn chosen<'a>(
    manifests: &'a Manifests,
    args: &DemoArgs,
) -> Result<Vec<&'a Workload>, Failure> {
    let fits =
        |workload: &&Workload| args.workload.as_deref().is_none_or(|name| workload.is_called(name));
    let chosen: Vec<&Workload> = manifests.workloads.iter().filter(fits).collect();
    if chosen.is_empty() && manifests.workloads.is_empty() {
        return Err(Failure::new(
            "finding a workload",
            "the files contain no workload",
            "add a Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob",
        ));
    }
    if chosen.is_empty() {
        let why = format!(
            "no workload has this name; the files contain {}",
            names(manifests.workloads.iter())
        );
        return Err(Failure::new(
            "finding the workload",
            why,
            "choose one of these with --workload",
        ));
    }
    Ok(chosen)
}

/// The names of workloads, separated by commas.
pub(crate) fn names<'a>(workloads: impl Iterator<Item = &'a Workload>) -> String {
    workloads.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Decides about a workload.
pub(crate) fn plan(workload: &Workload, manifests: &Manifests) -> Plan {
    let skip = |reason: String, names_a_role| Plan::Skip { reason, names_a_role };
    let name = &workload.service_account;
    let Some(annotations) = manifests.service_accounts.get(name) else {
        let reason = format!("no role: the files do not contain ServiceAccount {name}");
        return skip(reason, false);
    };
    let read = ServiceAccountAnnotations::read(annotations, &AnnotationPrefix::default());
    if read.role.is_none() && read.bad_role.is_none() {
        return skip(format!("no role: ServiceAccount {name} names none"), false);
    }
    let label = |key: &str| {
        let labels = workload.pod.pointer("/metadata/labels");
        labels.and_then(|labels| labels.get(key)).and_then(Value::as_str)
    };
    let namespace = name.namespace();
    let labels = manifests.namespaces.get(namespace);
    let injection = labels.map(|labels| labels.get(INJECTION_LABEL).map(String::as_str));
    let injection = injection.map(Injection::of_namespace);
    if pod_opts_out(label) && injection.flatten() != Some(Injection::Required) {
        return skip("not injected: a label of the pod opts it out".to_owned(), true);
    }
    if PodView::read(&workload.pod.to_string()).is_ok_and(|pod| pod.is_windows()) {
        let why = "not tried: it is for Windows nodes, and its token's path does not exist here";
        return skip(why.to_owned(), true);
    }
    match injection {
        Some(None) => Plan::Fail(Failure::new(
            format!("checking the namespace of {workload}"),
            format!("{namespace} has not opted in, so the API server would not call the webhook"),
            &format!("kubectl label namespace {namespace} {INJECTION_LABEL}={INJECTION_ENABLED}"),
        )),
        None => Plan::Try { assumed: Some(namespace.to_owned()) },
        Some(Some(_)) => Plan::Try { assumed: None },
    }
}

/// The credential provider that the workload's ServiceAccount chooses.
pub(crate) fn own_provider(workload: &Workload, manifests: &Manifests) -> CredentialProvider {
    let annotations = manifests.service_accounts.get(&workload.service_account);
    let read = |annotations| {
        ServiceAccountAnnotations::read(annotations, &AnnotationPrefix::default()).credentials
    };
    annotations.and_then(read).unwrap_or_default()
}
