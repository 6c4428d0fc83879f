//! The webhook's review of one pod, and its explanation for `--why`.

use std::fmt::Write as _;

use anyhow::Context as _;
use json_patch::PatchOperation;
use podrole_identity::{INJECTION_ENABLED, INJECTION_LABEL, Injection};
use podrole_webhook::{DEFAULT_PATIENCE, ServiceAccounts, Webhook, review_bytes};
use serde_json::{Value, json};

use crate::manifests::{Manifests, Workload};

/// A pod and the webhook's answer.
pub(super) struct ReviewedPod {
    /// Kind, namespace and name of the workload.
    pub(super) workload: String,
    pub(super) operations: Vec<PatchOperation>,
    pub(super) warnings: Vec<String>,
    headline: String,
    before: Value,
}

impl ReviewedPod {
    /// Sends a pod to the webhook as an API server would, if its namespace has opted in.
    pub(super) async fn review<S: ServiceAccounts>(
        webhook: &Webhook<S>,
        workload: &Workload,
        manifests: &Manifests,
    ) -> anyhow::Result<Self> {
        let namespace = workload.service_account.namespace();
        let labels = manifests.namespaces.get(namespace);
        let asked_for = labels.and_then(|labels| labels.get(INJECTION_LABEL)).map(String::as_str);
        let asked_for = Injection::of_namespace(asked_for);
        let mut reviewed = Self {
            workload: workload.to_string(),
            operations: Vec::new(),
            warnings: Vec::new(),
            headline: String::new(),
            before: workload.pod.clone(),
        };
        let injection = match (labels, asked_for) {
            (_, Some(injection)) => injection,
            // The files do not have the namespace, so it may have the label in the cluster.
            (None, None) => Injection::Enabled,
            (Some(_), None) => {
                reviewed.headline = format!(
                    "not injected: its namespace has not opted in (kubectl label namespace {namespace} \
                     {INJECTION_LABEL}={INJECTION_ENABLED})"
                );
                return Ok(reviewed);
            }
        };
        let body = review(namespace, &workload.pod).to_string();
        let answer = review_bytes(webhook, injection, DEFAULT_PATIENCE, body.as_bytes()).await;
        let response = answer.ok().context("the webhook could not answer the review")?.response;
        reviewed.operations = response.operations()?;
        reviewed.warnings = response.warnings;
        let audit = |key: &str| response.audit_annotations.get(key).map(String::as_str);
        let service_account = &workload.service_account;
        let provider = audit("path").map(|provider| provider.replace('_', "-"));
        reviewed.headline = match (response.status, audit("denial"), provider) {
            (Some(status), ..) => format!("refused: {}", status.message),
            (None, Some(denial), provider) => {
                let provider = provider.unwrap_or_default();
                format!("denied ({denial}), {provider} ({service_account})")
            }
            (None, None, Some(provider)) => {
                // Empty only with the exchange eks-auth.
                let role = audit("role").unwrap_or("the role that EKS chooses");
                format!("{provider} as {role} ({service_account})")
            }
            (None, None, None) => {
                let reason = audit("reason").unwrap_or_default().replace('_', " ");
                format!("{reason} ({service_account})")
            }
        };
        Ok(reviewed)
    }

    /// A headline, one line for each container, and the warnings.
    pub(super) fn why(&self) -> String {
        let mut after = self.before.clone();
        // An error of the patch is reported by `Documents::apply`.
        let _ = json_patch::patch(&mut after, &self.operations);
        let mut text = format!("{}: {}\n", self.workload, self.headline);
        for list in ["initContainers", "containers"] {
            let containers = after["spec"][list].as_array().into_iter().flatten();
            for (index, container) in containers.enumerate() {
                let name = container["name"].as_str().unwrap_or_default();
                let added = added(&self.before["spec"][list][index], container);
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {name}: {added}");
            }
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "  warning: {warning}");
        }
        text
    }
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

fn review(namespace: &str, pod: &Value) -> Value {
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "podrole-inject",
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "namespace": namespace,
            "operation": "CREATE",
            "object": pod,
        },
    })
}
