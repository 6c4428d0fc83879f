//! The decision: a pod, who it is, what holds for all, and from these the smallest patch.
//!
//! Pure: no clock, no I/O. What a container lacks is added and nothing else is touched, so a
//! second pass over the result finds nothing to do.

mod container;
mod desired;
mod ephemeral;
mod operations;
mod proxy;
mod secrets;

use json_patch::PatchOperation;
use podrole_identity::{CredentialProvider, EKS_POD_IDENTITY_LABEL, PodAnnotations};
use serde_json::json;

use crate::{
    Outcome, Reason, Settings,
    binding::{Binding, Identity},
    pod::{Container, PodView},
};
use container::Verdict;
use desired::Wish;
pub use ephemeral::mutate_ephemeral;
use operations::{Array, ContainerPatch, add};
use secrets::SecretPlan;

/// What becomes of a pod. `jitter` is any number that differs from pod to pod: it spreads the
/// renewal of container credentials' tokens.
#[must_use]
pub fn mutate(pod: &PodView, binding: &Binding, settings: &Settings, jitter: u64) -> Outcome {
    let said = match pod.annotations() {
        Some(annotations) => PodAnnotations::read(annotations, &settings.annotation_prefix),
        None => PodAnnotations::default(),
    };
    let wish = match &binding.identity {
        Identity::Bad { reason, warning } => return Outcome::skip_with(*reason, warning),
        Identity::None => None,
        Identity::Granted(grant) => Some(Wish::new(pod, &said, (binding, grant), settings, jitter)),
    };
    let asked = secrets::asked(&said, binding);
    let mut plan = Plan::new(pod, wish, SecretPlan::new(pod, binding, &asked));
    for (list, index, container) in chosen(pod, &said, binding) {
        plan.container(ContainerPatch::new(list, index, container));
    }
    let problems = said.problems.iter().chain(&binding.said.problems);
    plan.finish(problems.map(ToString::to_string))
}

/// The containers that the annotations of pod and ServiceAccount leave in, each with its place.
fn chosen<'a>(
    pod: &'a PodView,
    said: &PodAnnotations,
    binding: &Binding,
) -> impl Iterator<Item = (&'static str, usize, &'a Container)> {
    let skip = said.skip_containers.union(&binding.said.skip_containers);
    let include = said.include_containers.union(&binding.said.include_containers);
    let lists =
        [("containers", &pod.spec.containers), ("initContainers", &pod.spec.init_containers)];
    let all = lists.into_iter().flat_map(|(list, containers)| {
        let places = containers.iter().enumerate();
        places.map(move |(index, container)| (list, index, container))
    });
    all.filter(move |(_, _, container)| {
        let included = include.is_empty() || include.names(&container.name);
        included && !skip.names(&container.name)
    })
}

/// What is gathered while the containers are walked.
struct Plan<'a> {
    pod: &'a PodView,
    /// The identity for the containers, if there is one and its volume's name is free.
    wish: Option<Wish>,
    secrets: SecretPlan<'a>,
    operations: Vec<PatchOperation>,
    warnings: Vec<String>,
    /// The containers that have the other path's credentials already.
    others: Option<(CredentialProvider, Vec<String>)>,
    /// Why nothing is done, where nothing is.
    idle: Reason,
    /// A container has its identity, from now or from before.
    served: bool,
    /// A container mounts the token's volume by its own name.
    mounted: bool,
}

impl<'a> Plan<'a> {
    fn new(pod: &'a PodView, wish: Option<Wish>, secrets: SecretPlan<'a>) -> Self {
        let mut plan = Self {
            pod,
            idle: if wish.is_some() { Reason::NothingToAdd } else { Reason::NoRole },
            wish: None,
            secrets,
            operations: Vec::new(),
            warnings: Vec::new(),
            others: None,
            served: false,
            mounted: false,
        };
        plan.wish = wish.filter(|wish| {
            let name = &wish.volume.name;
            let taken = pod.volume(name).is_some_and(|volume| !wish.is_met_by(volume));
            if taken {
                let warning = format!("volume {name} is not an AWS token for this role; rename it");
                plan.warnings.push(warning);
                plan.idle = Reason::VolumeTaken;
            }
            !taken
        });
        plan
    }

    fn container(&mut self, mut patch: ContainerPatch<'_>) {
        if let Some(wish) = &self.wish {
            match container::judge(patch.container(), self.pod, wish) {
                Verdict::LeaveAlone(warning) => self.warnings.push(warning),
                Verdict::HasOther(path) => {
                    let name = patch.container().name.clone();
                    self.others.get_or_insert_with(|| (path, Vec::new())).1.push(name);
                }
                Verdict::Complete(lacks) => {
                    self.served = true;
                    self.mounted |= lacks.needs_volume;
                    lacks.add_to(&mut patch, wish);
                    self.warnings.extend(lacks.warning);
                }
            }
        }
        self.secrets.add_to(&mut patch);
        self.operations.append(&mut patch.into_operations());
    }

    /// Label and volumes come first, as with EKS; only where a container uses them.
    fn finish(mut self, problems: impl Iterator<Item = String>) -> Outcome {
        let mut operations = Vec::new();
        let mut volumes = Array::new(&["spec", "volumes"], self.pod.spec.volumes.is_empty());
        if let Some(wish) = &self.wish {
            if self.served && wish.path == CredentialProvider::Container {
                operations.extend(label(self.pod));
            }
            if self.mounted && self.pod.volume(&wish.volume.name).is_none() {
                operations.push(volumes.push(wish.volume_json()));
            }
        }
        operations.append(&mut self.secrets.add_volumes(self.pod, &mut volumes));
        operations.append(&mut self.operations);
        let mut warnings: Vec<String> = self.others.map(stay).into_iter().collect();
        warnings.append(&mut self.warnings);
        warnings.append(&mut self.secrets.warnings);
        if !operations.is_empty() {
            warnings.extend(self.wish.and_then(|wish| wish.warning));
            warnings.extend(problems);
            return Outcome::Patch { operations, warnings };
        }
        let reason = match self.idle {
            // Without an identity there is no second pass that would say it again.
            Reason::NoRole => {
                warnings.extend(problems);
                Reason::NoRole
            }
            Reason::NothingToAdd if !self.served && !warnings.is_empty() => Reason::LeftAlone,
            idle => idle,
        };
        Outcome::Skip { reason, warnings }
    }
}

/// One warning for all containers that have the other path already.
fn stay((path, containers): (CredentialProvider, Vec<String>)) -> String {
    let names = containers.join(", ");
    match containers.as_slice() {
        [_] => format!("container {names} has {path} credentials already; they stay"),
        _ => format!("these have {path} credentials already, which stay: {names}"),
    }
}

/// EKS's own label, with the map around it where the pod has none.
fn label(pod: &PodView) -> Option<PatchOperation> {
    const VALUE: &str = "enabled";
    let alone = json!({ EKS_POD_IDENTITY_LABEL: VALUE });
    match (&pod.metadata, pod.labels()) {
        (None, _) => Some(add(&["metadata"], json!({ "labels": alone }))),
        (Some(_), None) => Some(add(&["metadata", "labels"], alone)),
        (Some(_), Some(labels)) => {
            let there = labels.get(EKS_POD_IDENTITY_LABEL).map(String::as_str) == Some(VALUE);
            let key = ["metadata", "labels", EKS_POD_IDENTITY_LABEL];
            (!there).then(|| add(&key, json!(VALUE)))
        }
    }
}

#[cfg(test)]
mod tests;
