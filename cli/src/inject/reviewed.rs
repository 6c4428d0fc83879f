//! The webhook's decision about one workload's pods.

use anyhow::Context as _;
use json_patch::PatchOperation;
use podrole_identity::{INJECTION_ENABLED, INJECTION_LABEL, Injection, ServiceAccountRef};
use podrole_webhook::{
    DEFAULT_PATIENCE, Outcome, Reason, Reviewed, ServiceAccounts, Webhook,
    mutate::{ContainerReport, ContainerResult},
    outcome, warnings,
};
use serde_json::{Value, json};

use super::unreadable;
use crate::manifests::{ManifestError, Manifests, Object, Workload};

/// A workload and what its pods get.
#[derive(Debug)]
pub(super) struct ReviewedPod {
    pub(super) state: State,
    pub(super) provider: Option<String>,
    pub(super) role: Option<String>,
    pub(super) containers: Vec<ContainerReport>,
    pub(super) operations: Vec<PatchOperation>,
    pub(super) warnings: Vec<String>,
    /// The namespace, if it is in none of the files and so counts as opted in.
    pub(super) assumed: Option<String>,
}

/// What a workload's pods get, or why they get nothing.
#[derive(Debug)]
pub(super) enum State {
    /// The credential provider is added.
    Injected,
    /// The pod has it already.
    Complete,
    /// No source names a role.
    NoRole,
    /// A label of the pod opts it out.
    OptedOut,
    /// Annotations leave every container out.
    Excluded,
    /// The namespace has not opted in; the fix is in the text.
    NotOptedIn(String),
    /// The webhook would reject the pod.
    Refused(String),
    /// A role is named and cannot be used.
    Denied(String),
    /// Every container has something of its own in the way.
    LeftAlone,
    /// The pod cannot be parsed.
    Unreadable(Box<ManifestError>),
    /// The cluster could not be asked.
    Undecided(String),
}

impl State {
    /// Whether a pod that names a role gets nothing.
    pub(super) fn is_error(&self) -> bool {
        match self {
            Self::Injected | Self::Complete | Self::NoRole | Self::OptedOut | Self::Excluded => {
                false
            }
            Self::NotOptedIn(_)
            | Self::Refused(_)
            | Self::Denied(_)
            | Self::LeftAlone
            | Self::Unreadable(_)
            | Self::Undecided(_) => true,
        }
    }

    /// The name in the JSON report.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Complete => "complete",
            Self::NoRole => "no_role",
            Self::OptedOut => "opted_out",
            Self::Excluded => "excluded",
            Self::NotOptedIn(_) => "not_opted_in",
            Self::Refused(_) => "refused",
            Self::Denied(_) => "denied",
            Self::LeftAlone => "left_alone",
            Self::Unreadable(_) => "unreadable",
            Self::Undecided(_) => "undecided",
        }
    }
}

impl ReviewedPod {
    /// Sends a pod to the webhook as an API server would.
    pub(super) async fn review<S: ServiceAccounts>(
        webhook: &Webhook<S>,
        workload: &Workload,
        manifests: &Manifests,
    ) -> anyhow::Result<Self> {
        let namespace = workload.service_account.namespace();
        let labels = manifests.namespaces.get(namespace);
        let label = labels.and_then(|labels| labels.get(INJECTION_LABEL)).map(String::as_str);
        let asked_for = Injection::of_namespace(label);
        // A namespace that is not in the files may have the label in the cluster.
        let injection = asked_for.unwrap_or(Injection::Enabled);
        let body = review("Pod", "", namespace, &workload.pod).to_string();
        let decide = async |injection| {
            let reviewed = outcome(webhook, injection, DEFAULT_PATIENCE, body.as_bytes()).await;
            reviewed.ok().context("the webhook could not answer the review")
        };
        let Reviewed { outcome, audit, .. } = decide(injection).await?;
        let containers = containers(webhook, &workload.service_account, &workload.pod).await;
        let denial = match audit.denial {
            // In a namespace that requires injection the denial is the refusal, as a whole sentence.
            Some(_) => match decide(Injection::Required).await?.outcome {
                Outcome::Refuse { message, .. } => Some(message),
                Outcome::Patch { .. } | Outcome::Skip { .. } => None,
            },
            None => None,
        };
        let mut reviewed = Self {
            state: State::NoRole,
            provider: audit.provider.map(|provider| provider.to_string()),
            role: audit.role.map(|role| role.to_string()),
            containers,
            operations: Vec::new(),
            warnings: outcome.clone().warnings(),
            assumed: labels.is_none().then(|| namespace.to_owned()),
        };
        let reason = outcome.reason();
        reviewed.state = reviewed.state_of(&outcome, denial);
        match reviewed.state {
            // The state says it, and more.
            State::Refused(_) | State::Undecided(_) => reviewed.warnings.clear(),
            State::Denied(_) if !reviewed.warnings.is_empty() => drop(reviewed.warnings.remove(0)),
            _ => {}
        }
        if reason == Reason::Unreadable
            && let Some(error) = unreadable::explain(workload, manifests)
        {
            reviewed.state = State::Unreadable(Box::new(error));
        }
        if labels.is_some() && asked_for.is_none() {
            reviewed.warnings.clear();
            if reviewed.names_a_role() && !matches!(reviewed.state, State::Complete) {
                reviewed.containers.clear();
                reviewed.state = State::NotOptedIn(format!(
                    "Namespace {namespace} has no label {INJECTION_LABEL}={INJECTION_ENABLED}; \
                     kubectl label namespace {namespace} {INJECTION_LABEL}={INJECTION_ENABLED}"
                ));
            }
            return Ok(reviewed);
        }
        match (outcome, &reviewed.state) {
            (Outcome::Patch { operations, .. }, _) => reviewed.operations = operations,
            (_, State::Complete | State::Excluded | State::LeftAlone) => {}
            // What the containers would get is not what they get.
            _ => reviewed.containers.clear(),
        }
        Ok(reviewed)
    }

    fn names_a_role(&self) -> bool {
        !matches!(self.state, State::NoRole | State::OptedOut)
    }

    fn state_of(&self, outcome: &Outcome, denial: Option<String>) -> State {
        let first = || self.warnings.first().cloned().unwrap_or_default();
        match (outcome, outcome.reason()) {
            (Outcome::Refuse { message, .. }, _) => State::Refused(message.clone()),
            (_, Reason::NoRole) => State::NoRole,
            (_, Reason::OptedOut) => State::OptedOut,
            (_, Reason::Unsynced | Reason::LookupFailed | Reason::Unreadable) => {
                State::Undecided(first())
            }
            _ if denial.is_some() => State::Denied(denial.unwrap_or_default()),
            _ if self.provider.is_none() => State::NoRole,
            _ if self.containers.iter().all(|it| it.result == ContainerResult::Excluded) => {
                State::Excluded
            }
            _ if !self.containers.iter().any(|it| it.result.uses_the_role()) => State::LeftAlone,
            (Outcome::Patch { .. }, _) => State::Injected,
            (Outcome::Skip { .. }, _) => State::Complete,
        }
    }
}

/// What the webhook says when an object is applied.
pub(super) async fn applied<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    object: &Object,
) -> Vec<String> {
    let Object { kind, group, namespace, value, .. } = object;
    let body = review(kind, group, namespace, value).to_string();
    warnings(webhook, DEFAULT_PATIENCE, body.as_bytes()).await.unwrap_or_default()
}

async fn containers<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    service_account: &ServiceAccountRef,
    pod: &Value,
) -> Vec<ContainerReport> {
    let json = pod.to_string();
    webhook.explain(service_account, &json, DEFAULT_PATIENCE).await.unwrap_or_default()
}

fn review(kind: &str, group: &str, namespace: &str, object: &Value) -> Value {
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "podrole-inject",
            "kind": { "group": group, "version": "v1", "kind": kind },
            "namespace": namespace,
            "operation": "CREATE",
            "object": object,
        },
    })
}
