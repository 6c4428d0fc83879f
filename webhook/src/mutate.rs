//! The decision: from a pod, its binding and the settings, the smallest patch.
//!
//! Pure: no clock, no I/O. Only what is missing is added, so a second pass over the result finds
//! nothing to do. API servers make that second pass if a later webhook changes the pod.

mod annotations;
mod beside;
mod container;
mod desired;
mod ephemeral;
mod explain;
mod expression;
mod operations;
mod proxy;
mod secrets;
mod selected;

use json_patch::PatchOperation;
use podrole_identity::{CredentialProvider, EKS_POD_IDENTITY_LABEL};
use serde_json::json;

use crate::{Outcome, Reason, Settings, binding::Binding, pod::PodView};
use annotations::annotations_of;
pub use beside::CREDENTIALS_FILES;
use container::ContainerPlan;
use desired::DesiredIdentity;
pub use ephemeral::mutate_ephemeral;
pub use explain::{ContainerReport, ContainerResult, explain};
#[cfg(any(test, fuzzing))]
pub(crate) use expression::POD_NAME;
use operations::{Array, ContainerPatch, add};
use secrets::SecretPlan;
pub(crate) use secrets::denied as denied_secrets;
use selected::selected;

/// To the author of a pod that is injected before any source names its ServiceAccount. The SDKs for C++,
/// Java, PHP and Swift go on to the metadata service when the agent answers "no role".
const NO_ROLE_YET: &str = "no source names a role yet; meanwhile some SDKs use the node's: set podrole.io/disable-imds: \"true\"";

/// Decides about a new pod. `jitter` is any number that differs from pod to pod; it spreads the
/// expiry of container tokens.
#[must_use]
pub fn mutate(pod: &PodView, binding: &Binding, settings: &Settings, jitter: u64) -> Outcome {
    let annotations = annotations_of(pod, settings);
    if let Err(denial) = &binding.grant
        && denial.provider == CredentialProvider::WebIdentity
    {
        // With web identity the injection is the grant.
        return Outcome::skip_with(Reason::Denied(denial.reason.label()), denial.summary());
    }
    // A denied pod of the provider `container` is injected all the same: its SDK then gets the
    // agent's sentence instead of the node's role from the metadata service, and once the cause is
    // corrected it gets credentials without a restart.
    let desired = binding.provider.map(|provider| {
        DesiredIdentity::new(pod, &annotations, (binding, provider), settings, jitter)
    });
    let opt_in = annotations.opt_in.or(&binding.annotations.opt_in);
    let disables_imds = opt_in.disable_imds == Some(true);
    let secrets = secrets::desired(&annotations, binding);
    let mut plan = PodPlan::new(pod, desired, SecretPlan::new(pod, binding, &secrets));
    for (list, index, container) in selected(pod, &annotations, binding) {
        plan.add_container(ContainerPatch::new(list, index, container));
    }
    let problems = annotations.problems.iter().chain(&binding.annotations.problems).cloned();
    let prefix = &settings.annotations.prefix;
    let expiration = annotations.token_expiration.or(binding.annotations.token_expiration);
    let expiration = expiration.unwrap_or(settings.token_expiration);
    let problems = problems.map(|problem| problem.with_used_expiration(prefix, expiration));
    let outcome = plan.finish(problems.map(|problem| problem.to_string()));
    match &binding.grant {
        Ok(Some(_)) => outcome,
        Ok(None) if binding.provider.is_some() && !disables_imds => {
            outcome.warn_first(NO_ROLE_YET.to_owned())
        }
        Ok(None) => outcome,
        Err(denial) => outcome.warn_first(denial.summary()),
    }
}

/// The changes to one pod, collected container by container.
struct PodPlan<'a> {
    pod: &'a PodView,
    /// The identity for the containers, if there is one and its volume's name is free.
    desired: Option<DesiredIdentity>,
    secrets: SecretPlan<'a>,
    operations: Vec<PatchOperation>,
    warnings: Vec<String>,
    /// The containers that already have the other provider's credentials.
    others: Option<(CredentialProvider, Vec<String>)>,
    /// Warnings about containers, each with the names of those that it is about.
    shared_warnings: Vec<(String, Vec<String>)>,
    /// The reason to give if nothing is changed.
    skip_reason: Reason,
    /// Whether a container has its identity, added now or before.
    served: bool,
    /// Whether a container gets the endpoint now.
    gets_endpoint: bool,
    /// Whether a container mounts the token's volume under the volume's own name.
    mounted: bool,
}

impl<'a> PodPlan<'a> {
    fn new(pod: &'a PodView, desired: Option<DesiredIdentity>, secrets: SecretPlan<'a>) -> Self {
        let mut plan = Self {
            pod,
            skip_reason: if desired.is_some() { Reason::NothingToAdd } else { Reason::NoRole },
            desired: None,
            secrets,
            operations: Vec::new(),
            warnings: Vec::new(),
            others: None,
            shared_warnings: Vec::new(),
            served: false,
            gets_endpoint: false,
            mounted: false,
        };
        plan.desired = desired.filter(|desired| {
            let name = &desired.volume.name;
            let taken = desired.is_volume_taken(pod);
            if taken {
                // Mounting it would give the containers another token than their variables promise.
                let warning = format!("volume {name} is not this role's AWS token; rename it");
                plan.warnings.push(warning);
                plan.skip_reason = Reason::VolumeTaken;
            }
            !taken
        });
        plan
    }

    fn add_container(&mut self, mut patch: ContainerPatch<'_>) {
        if let Some(desired) = &self.desired {
            match container::plan(patch.container(), self.pod, desired) {
                ContainerPlan::LeaveAlone(obstacle) => {
                    self.warnings.push(obstacle.warning(&patch.container().name));
                }
                ContainerPlan::HasOther(provider) => {
                    let name = patch.container().name.clone();
                    self.others.get_or_insert_with(|| (provider, Vec::new())).1.push(name);
                }
                ContainerPlan::Complete(missing) => {
                    self.served = true;
                    self.mounted |= missing.needs_volume;
                    self.gets_endpoint |= missing.gets_endpoint;
                    missing.add_to(&mut patch, desired);
                    self.warnings.extend(missing.warning);
                    self.share(missing.shared_warnings, &patch.container().name);
                }
            }
        }
        self.secrets.add_to(&mut patch);
        self.operations.append(&mut patch.into_operations());
    }

    /// Adds warnings about a container to the same ones about others: an answer has room for three.
    fn share(&mut self, warnings: Vec<String>, container: &str) {
        for warning in warnings {
            let known = self.shared_warnings.iter_mut().find(|(known, _)| *known == warning);
            match known {
                Some((_, containers)) => containers.push(container.to_owned()),
                None => self.shared_warnings.push((warning, vec![container.to_owned()])),
            }
        }
    }

    /// Puts label and volumes first, as EKS's webhook does, and only if a container uses them.
    fn finish(mut self, problems: impl Iterator<Item = String>) -> Outcome {
        let mut operations = Vec::new();
        let mut volumes = Array::new(&["spec", "volumes"], self.pod.spec.volumes.is_empty());
        if let Some(desired) = &self.desired {
            if self.served && desired.provider == CredentialProvider::Container {
                operations.extend(label(self.pod));
            }
            if self.mounted && self.pod.volume(&desired.volume.name).is_none() {
                operations.push(volumes.push(desired.volume_json()));
            }
        }
        operations.append(&mut self.secrets.add_volumes(self.pod, &mut volumes));
        operations.append(&mut self.operations);
        let others = self.others.map(|(provider, names)| container::has_other(provider, &names));
        let mut warnings: Vec<String> = others.into_iter().collect();
        warnings.append(&mut self.warnings);
        warnings.append(&mut self.secrets.warnings);
        let shared = self.shared_warnings.iter();
        warnings.extend(shared.map(|(text, names)| container::in_containers(text, names)));
        if !operations.is_empty() {
            if let Some(desired) = self.desired {
                warnings.extend(desired.unresolvable.filter(|_| self.gets_endpoint));
                warnings.extend(desired.warning);
            }
            warnings.extend(problems);
            return Outcome::Patch { operations, warnings };
        }
        let reason = match self.skip_reason {
            // A pod with an identity had these warnings on its first pass, with the patch. A pod
            // without one has no other pass that would show them.
            Reason::NoRole => {
                warnings.extend(problems);
                Reason::NoRole
            }
            Reason::NothingToAdd if !self.served && !warnings.is_empty() => Reason::LeftAlone,
            reason => reason,
        };
        Outcome::Skip { reason, warnings }
    }
}

/// EKS's own label, with the map around it if the pod has none. `None` if the pod has the label.
fn label(pod: &PodView) -> Option<PatchOperation> {
    const VALUE: &str = "enabled";
    let alone = json!({ EKS_POD_IDENTITY_LABEL: VALUE });
    match (&pod.metadata, pod.labels()) {
        (None, _) => Some(add(&["metadata"], json!({ "labels": alone }))),
        (Some(_), None) => Some(add(&["metadata", "labels"], alone)),
        (Some(_), Some(labels)) => {
            let present = labels.get(EKS_POD_IDENTITY_LABEL).map(String::as_str) == Some(VALUE);
            let key = ["metadata", "labels", EKS_POD_IDENTITY_LABEL];
            (!present).then(|| add(&key, json!(VALUE)))
        }
    }
}

#[cfg(test)]
mod tests;
