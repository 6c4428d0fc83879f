//! What is printed about a workload.

use std::fmt::Write as _;

use podrole_identity::INJECTION_LABEL;
use podrole_webhook::mutate::{ContainerReport, ContainerResult};
use serde_json::Value;

use super::reviewed::{ReviewedPod, State};
use crate::{manifests::Workload, printable::printable};

/// The line of a workload on standard error.
pub(super) fn line(workload: &Workload, reviewed: &ReviewedPod) -> String {
    let mut line = match &reviewed.state {
        State::Unreadable(error) => return error.to_string(),
        state => format!("{workload}: {}", sentence(state, reviewed)),
    };
    if let Some(namespace) = reviewed.assumed.as_ref().filter(|_| reviewed.provider.is_some()) {
        let _ = write!(
            line,
            " (Namespace {namespace} is in none of the files, so it counts as enabled)"
        );
    }
    line
}

/// What the pods get, or why they get nothing.
pub(super) fn sentence(state: &State, reviewed: &ReviewedPod) -> String {
    match state {
        State::Injected => format!("injected {}", identity(reviewed)),
        State::Complete => format!("has already {}", identity(reviewed)),
        State::NoRole if reviewed.operations.is_empty() => "no role".to_owned(),
        State::NoRole => "no role; the Secrets of its annotations are added".to_owned(),
        State::OptedOut => "not injected: a label of the pod opts it out".to_owned(),
        State::Disabled(namespace) => {
            format!("not injected: Namespace {namespace} has the label {INJECTION_LABEL}=disabled")
        }
        State::Excluded => "not injected: annotations leave every container out".to_owned(),
        State::NotOptedIn(fix) => format!("not opted in: {fix}"),
        State::Refused(message) => format!("refused: {message}"),
        State::Denied(message) => format!("denied: {message}"),
        State::LeftAlone if reviewed.containers.is_empty() => {
            "no container gets the role: the pod has none".to_owned()
        }
        State::LeftAlone => {
            let apart: Vec<String> = reviewed.containers.iter().filter_map(apart).collect();
            let who =
                if reviewed.only_init() { "only init containers get" } else { "no container gets" };
            format!("{who} the role: {}", apart.join("; "))
        }
        State::Unreadable(error) => error.to_string(),
        State::Undecided(message) => format!("not decided: {message}"),
    }
}

/// `web-identity, arn:..., 2 of 3 containers (web left alone: sets AWS_PROFILE)`.
fn identity(reviewed: &ReviewedPod) -> String {
    let all = reviewed.containers.len();
    let count = reviewed.containers.iter().filter(|it| it.result.uses_the_role()).count();
    let provider = reviewed.provider.as_deref().unwrap_or_default();
    // Without a role, the exchange is eks-auth.
    let role = reviewed.role.as_deref().unwrap_or("the role that EKS chooses");
    let noun = if all == 1 { "container" } else { "containers" };
    let mut text = format!("{provider}, {role}, {count} of {all} {noun}");
    let apart: Vec<String> = reviewed.containers.iter().filter_map(apart).collect();
    if !apart.is_empty() {
        let _ = write!(text, " ({})", apart.join("; "));
    }
    text
}

/// Why a container does not get the whole provider.
pub(super) fn apart(container: &ContainerReport) -> Option<String> {
    let name = &container.name;
    Some(match &container.result {
        ContainerResult::Served => return None,
        ContainerResult::TokenOnly { sets } => format!("{name} gets only the token: sets {sets}"),
        ContainerResult::HasOther(provider) => {
            format!("{name} left alone: has {provider} credentials")
        }
        ContainerResult::LeftAlone { because } => format!("{name} left alone: {because}"),
        ContainerResult::Excluded => format!("{name} left out by an annotation"),
    })
}

/// A headline, one line for each container, and the warnings.
pub(super) fn why(workload: &Workload, reviewed: &ReviewedPod) -> String {
    let before = &workload.pod;
    let mut after = before.clone();
    // An error of the patch is reported by `Documents::apply`.
    let _ = json_patch::patch(&mut after, &reviewed.operations);
    let headline = match (&reviewed.state, &reviewed.provider) {
        (State::Injected | State::Complete, Some(provider)) => {
            let role = reviewed.role.as_deref().unwrap_or("the role that EKS chooses");
            format!("{provider} as {role} ({})", workload.service_account)
        }
        (State::NoRole, _) => format!("no role ({})", workload.service_account),
        (state, _) => sentence(state, reviewed),
    };
    let mut text = printable(&format!("{workload}: {headline}")) + "\n";
    for list in ["initContainers", "containers"] {
        let containers = after["spec"][list].as_array().into_iter().flatten();
        for (index, container) in containers.enumerate() {
            let name = container["name"].as_str().unwrap_or_default();
            let added = added(&before["spec"][list][index], container);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", printable(&format!("{name}: {added}")));
        }
    }
    for warning in &reviewed.warnings {
        let _ = writeln!(text, "  warning: {}", printable(warning));
    }
    text
}

/// Describes what was added to a container.
fn added(before: &Value, after: &Value) -> String {
    let new = |list: &str, key: &str| -> Vec<String> {
        let known = before[list].as_array().map_or(0, Vec::len);
        let all = after[list].as_array().into_iter().flatten().skip(known);
        all.filter_map(|one| one.pointer(key)?.as_str().map(str::to_owned)).collect()
    };
    let mut added = new("env", "/name");
    added.extend(
        new("envFrom", "/secretRef/name").iter().map(|name| format!("all variables of {name}")),
    );
    added.extend(new("volumeMounts", "/mountPath"));
    let mut text = if added.is_empty() {
        "nothing added".to_owned()
    } else {
        format!("+ {}", added.join(", "))
    };
    if before["envFrom"].as_array().is_some_and(|sources| !sources.is_empty()) {
        text.push_str(" (variables from its envFrom are not visible)");
    }
    text
}
