//! The report of `-o json` and `-o yaml`. Fields are only ever added.

use podrole_webhook::mutate::ContainerResult;
use serde::Serialize;

use super::{
    reviewed::{ReviewedPod, State},
    summary,
};
use crate::{
    api_version::API_VERSION,
    manifests::{Object, Workload},
};

/// What `podrole inject` found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InjectReport {
    api_version: &'static str,
    kind: &'static str,
    /// Whether every pod that names a role gets it, and everything could be read; also with
    /// `--allow-missing`, which changes only the exit code.
    pub(super) ok: bool,
    pub(super) exit_code: u8,
    /// One for each object that creates pods.
    pub(super) workloads: Vec<WorkloadReport>,
    /// Warnings about documents and other objects than workloads.
    pub(super) warnings: Vec<String>,
    /// What could not be read.
    pub(super) errors: Vec<String>,
}

/// What a workload's pods get.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkloadReport {
    file: String,
    line: usize,
    kind: String,
    namespace: String,
    name: String,
    /// `injected`, `complete`, `no_role`, `refused`, ...; `not_seen` for kinds whose pods podrole sees
    /// only when they are created.
    pub(super) state: &'static str,
    /// The sentence of the summary line.
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<String>,
    /// `web-identity` or `container`.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    containers: Vec<ContainerEntry>,
    warnings: Vec<String>,
}

/// What a container gets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerEntry {
    name: String,
    /// `served`, `token_only`, `left_alone` or `excluded`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Default for InjectReport {
    fn default() -> Self {
        Self {
            api_version: API_VERSION,
            kind: "InjectReport",
            ok: true,
            exit_code: 0,
            workloads: Vec::new(),
            warnings: Vec::new(),
            errors: Vec::new(),
        }
    }
}

impl WorkloadReport {
    pub(super) fn new(workload: &Workload, reviewed: &ReviewedPod) -> Self {
        let containers = reviewed.containers.iter().map(|container| ContainerEntry {
            name: container.name.clone(),
            result: match container.result {
                ContainerResult::Served => "served",
                ContainerResult::TokenOnly { .. } => "token_only",
                ContainerResult::HasOther(_) | ContainerResult::LeftAlone { .. } => "left_alone",
                ContainerResult::Excluded => "excluded",
            },
            message: summary::apart(container),
        });
        let state = &reviewed.state;
        Self {
            service_account: Some(workload.service_account.to_string()),
            provider: reviewed.provider.clone(),
            role: reviewed.role.clone(),
            containers: containers.collect(),
            warnings: reviewed.warnings.clone(),
            line: match state {
                State::Unreadable(error) => error.line,
                _ => workload.object.place.line,
            },
            ..Self::of(&workload.object, state.as_str(), summary::sentence(state, reviewed))
        }
    }

    /// An object that is not reviewed, with the reason.
    pub(super) fn of(object: &Object, state: &'static str, message: String) -> Self {
        Self {
            file: object.place.file.clone(),
            line: object.place.line,
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            state,
            message,
            service_account: None,
            provider: None,
            role: None,
            containers: Vec::new(),
            warnings: Vec::new(),
        }
    }
}
