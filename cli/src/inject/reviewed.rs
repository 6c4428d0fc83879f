//! The webhook's decision about one workload's pods.

use anyhow::Context as _;
use json_patch::PatchOperation;
use podrole_identity::{INJECTION_ENABLED, INJECTION_LABEL, Injection, InjectionDefault};
use podrole_webhook::{
    DEFAULT_PATIENCE, LookupError, Outcome, Reason, Reviewed, ServiceAccounts, Webhook,
    mutate::{ContainerReport, ContainerResult},
    outcome, warnings,
};
use serde_json::{Value, json};

use super::unreadable;
use crate::manifests::{ManifestError, Manifests, Object, Workload};

/// Why a pod is not decided whose ServiceAccount was answered in two ways.
const CHANGED: &str = "its role changed while it was read; try again";

/// A workload and what its pods get.
#[derive(Debug)]
pub(super) struct ReviewedPod {
    pub(super) state: State,
    pub(super) provider: Option<String>,
    pub(super) role: Option<String>,
    pub(super) containers: Vec<ContainerReport>,
    /// Whether each container runs as long as the pod, unlike an init container.
    lasting: Vec<bool>,
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
    /// A label of this namespace opts it out of a cluster that injects everywhere.
    Disabled(String),
    /// Annotations leave every container out.
    Excluded,
    /// The namespace has not opted in; the fix is in the text.
    NotOptedIn(String),
    /// The webhook would reject the pod.
    Refused(String),
    /// A role is named and cannot be used.
    Denied(String),
    /// Every container, or each that is no init container, has something of its own in the way.
    LeftAlone,
    /// The pod cannot be parsed.
    Unreadable(Box<ManifestError>),
    /// The cluster could not be asked, or what decides cannot be read.
    Undecided(String),
}

impl State {
    /// Whether a pod that names a role gets nothing.
    pub(super) fn is_error(&self) -> bool {
        match self {
            Self::Injected
            | Self::Complete
            | Self::NoRole
            | Self::OptedOut
            | Self::Disabled(_)
            | Self::Excluded => false,
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
            Self::OptedOut | Self::Disabled(_) => "opted_out",
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

/// The state of a pod that would get a role in another namespace.
fn without_label(default: InjectionDefault, namespace: &str) -> State {
    match default {
        InjectionDefault::All => State::Disabled(namespace.to_owned()),
        InjectionDefault::Labelled => State::NotOptedIn(format!(
            "Namespace {namespace} has no label {INJECTION_LABEL}={INJECTION_ENABLED}; \
             kubectl label namespace {namespace} {INJECTION_LABEL}={INJECTION_ENABLED}, or use \
             --injection-default=all if the chart's injection.default is all"
        )),
    }
}

impl ReviewedPod {
    /// Sends a pod to the webhook as an API server would.
    pub(super) async fn review<S: ServiceAccounts>(
        webhook: &Webhook<S>,
        workload: &Workload,
        manifests: &Manifests,
        default: InjectionDefault,
    ) -> anyhow::Result<Self> {
        let namespace = workload.service_account.namespace();
        let labels = manifests.namespaces.get(namespace);
        let label = labels.and_then(|labels| labels.get(INJECTION_LABEL)).map(String::as_str);
        let asked_for = default.of_namespace(label);
        // A namespace that is not in the files may have the label in the cluster.
        let injection = asked_for.unwrap_or(Injection::Enabled);
        let body = review("Pod", "", namespace, &workload.pod).to_string();
        let decide = async |injection| {
            let reviewed = outcome(webhook, injection, DEFAULT_PATIENCE, body.as_bytes()).await;
            reviewed.ok().context("the webhook could not answer the review")
        };
        let Reviewed { outcome, audit, .. } = decide(injection).await?;
        // A second look-up: it may fail, or see another role.
        let json = workload.pod.to_string();
        let explained = webhook.explain(&workload.service_account, &json, DEFAULT_PATIENCE).await;
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
            containers: explained.as_ref().cloned().unwrap_or_default(),
            lasting: lasting(&workload.pod),
            operations: Vec::new(),
            warnings: outcome.clone().warnings(),
            assumed: labels.is_none().then(|| namespace.to_owned()),
        };
        let reason = outcome.reason();
        reviewed.state = reviewed.state_of(&outcome, denial, explained.err());
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
        if let Some(error) = manifests.error_in(&format!("Namespace {namespace}"))
            && !matches!(reviewed.state, State::NoRole | State::Complete)
        {
            let fix = format!("Namespace {namespace} cannot be read; fix {error} first");
            return Ok(reviewed.undecided(fix));
        }
        if labels.is_some() && asked_for.is_none() {
            reviewed.warnings.clear();
            if reviewed.needs_the_label() {
                reviewed.containers.clear();
                reviewed.state = without_label(default, namespace);
            }
            return Ok(reviewed);
        }
        match (outcome, &reviewed.state) {
            (_, State::Undecided(_)) => reviewed.containers.clear(),
            (Outcome::Patch { operations, .. }, state) => {
                reviewed.operations = operations;
                // It is injected, so that its SDK shows why it gets no credentials.
                if matches!(state, State::Denied(_)) {
                    reviewed.containers.clear();
                }
            }
            (_, State::Complete | State::Excluded | State::LeftAlone) => {}
            // What the containers would get is not what they get.
            _ => reviewed.containers.clear(),
        }
        Ok(reviewed)
    }

    /// The same without a decision.
    pub(super) fn undecided(self, why: String) -> Self {
        Self {
            state: State::Undecided(why),
            containers: Vec::new(),
            operations: Vec::new(),
            warnings: Vec::new(),
            assumed: None,
            ..self
        }
    }

    /// Whether the pod should get a role that only the namespace's label is missing for.
    fn needs_the_label(&self) -> bool {
        !matches!(self.state, State::NoRole | State::OptedOut | State::Excluded | State::Complete)
    }

    /// Whether an init container alone gets the role, beside containers with keys of their own.
    pub(super) fn only_init(&self) -> bool {
        !self.pod_uses_the_role() && self.containers.iter().any(|it| it.result.uses_the_role())
    }

    /// Whether a container that runs as long as the pod uses the role. If annotations leave all of
    /// them out, the init containers count.
    fn pod_uses_the_role(&self) -> bool {
        let lasting = self.containers.iter().zip(&self.lasting);
        let mut lasting = lasting
            .filter(|(it, lasting)| **lasting && it.result != ContainerResult::Excluded)
            .map(|(it, _)| it)
            .peekable();
        match lasting.peek() {
            Some(_) => lasting.any(|it| it.result.uses_the_role()),
            None => self.containers.iter().any(|it| it.result.uses_the_role()),
        }
    }

    fn state_of(
        &self,
        outcome: &Outcome,
        denial: Option<String>,
        failed: Option<LookupError>,
    ) -> State {
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
            _ if failed.is_some() => {
                State::Undecided(failed.map(|it| it.to_string()).unwrap_or_default())
            }
            _ if self.containers.len() != self.lasting.len() => {
                State::Undecided(CHANGED.to_owned())
            }
            _ if !self.containers.is_empty()
                && self.containers.iter().all(|it| it.result == ContainerResult::Excluded) =>
            {
                State::Excluded
            }
            _ if !self.pod_uses_the_role() => State::LeftAlone,
            (Outcome::Patch { .. }, _) => State::Injected,
            (Outcome::Skip { .. }, _) => State::Complete,
        }
    }
}

/// Whether each container runs as long as the pod, in the order of the webhook's report: init
/// containers first. Of these only sidecars do.
fn lasting(pod: &Value) -> Vec<bool> {
    let containers = |list: &str| pod["spec"][list].as_array().into_iter().flatten();
    let init = containers("initContainers").map(|it| it["restartPolicy"] == "Always");
    init.chain(containers("containers").map(|_| true)).collect()
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
