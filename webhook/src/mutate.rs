//! The decision: a pod, who it is, what holds for all, and from these the smallest patch.
//!
//! Pure: no clock, no I/O. What a container lacks is added and nothing else is touched, so a
//! second pass over the result finds nothing to do.

mod container;
mod operations;
mod proxy;
mod wish;

use json_patch::PatchOperation;
use podrole_identity::{CredentialPath, EKS_POD_IDENTITY_LABEL, PodAnnotations};
use serde_json::json;

use crate::{
    Outcome, Reason, Settings,
    binding::{Binding, RoleBinding},
    pod::{Container, PodView},
};
use container::Verdict;
use operations::{Array, add};
use wish::Wish;

/// What becomes of a pod. `jitter` is any number that differs from pod to pod: it spreads the
/// renewal of container credentials' tokens.
#[must_use]
pub fn mutate(pod: &PodView, binding: &Binding, settings: &Settings, jitter: u64) -> Outcome {
    match binding {
        Binding::None => Outcome::skip(Reason::NoRole),
        Binding::BadRole(problem) => Outcome::skip_with(Reason::BadRole, problem.to_string()),
        Binding::Role(binding) => inject(pod, binding, settings, jitter),
    }
}

fn inject(pod: &PodView, binding: &RoleBinding, settings: &Settings, jitter: u64) -> Outcome {
    let said = match pod.annotations() {
        Some(annotations) => PodAnnotations::read(annotations, &settings.annotation_prefix),
        None => PodAnnotations::default(),
    };
    let wish = Wish::new(pod, &said, binding, settings, jitter);
    let there = pod.volume(&wish.volume.name);
    if there.is_some_and(|volume| !wish.is_met_by(volume)) {
        let name = &wish.volume.name;
        let warning = format!("volume {name} is not an AWS token for this role; rename it");
        return Outcome::skip_with(Reason::VolumeTaken, warning);
    }
    let chosen = chosen(pod, &said, binding);
    let mut plan = Plan::default();
    for (list, index, container) in chosen {
        plan.container(list, index, container, pod, &wish);
    }
    let problems = said.problems.iter().chain(&binding.said.problems);
    plan.finish(pod, &wish, problems.map(ToString::to_string))
}

/// The containers that the annotations of pod and ServiceAccount leave in, each with its place.
fn chosen<'a>(
    pod: &'a PodView,
    said: &PodAnnotations,
    binding: &RoleBinding,
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
#[derive(Default)]
struct Plan {
    operations: Vec<PatchOperation>,
    warnings: Vec<String>,
    /// A container has its identity, from now or from before.
    served: bool,
    /// A container mounts the volume by its own name.
    mounted: bool,
}

impl Plan {
    fn container(
        &mut self,
        list: &str,
        index: usize,
        container: &Container,
        pod: &PodView,
        wish: &Wish,
    ) {
        match container::judge(container, pod, wish) {
            Verdict::LeaveAlone(warning) => self.warnings.push(warning),
            Verdict::Complete(lacks) => {
                self.served = true;
                self.mounted |= lacks.needs_volume;
                let place = ["spec", list, &index.to_string()].map(str::to_owned);
                self.operations.extend(lacks.operations(&place, container, wish));
                self.warnings.extend(lacks.warning);
            }
        }
    }

    /// Label and volume come first, as with EKS; only where a container uses them.
    fn finish(
        mut self,
        pod: &PodView,
        wish: &Wish,
        problems: impl Iterator<Item = String>,
    ) -> Outcome {
        let mut operations = Vec::new();
        if self.served && wish.path == CredentialPath::Container {
            operations.extend(label(pod));
        }
        if self.mounted && pod.volume(&wish.volume.name).is_none() {
            let mut volumes = Array::new(&["spec", "volumes"], pod.spec.volumes.is_empty());
            operations.push(volumes.push(wish.volume_json()));
        }
        operations.append(&mut self.operations);
        if !operations.is_empty() {
            self.warnings.extend(problems);
            return Outcome::Patch { operations, warnings: self.warnings };
        }
        let reason = if self.served || self.warnings.is_empty() {
            Reason::NothingToAdd
        } else {
            Reason::LeftAlone
        };
        Outcome::Skip { reason, warnings: self.warnings }
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
