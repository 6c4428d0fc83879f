//! Which containers of a pod take part.

use podrole_identity::PodAnnotations;

use crate::{
    binding::Binding,
    pod::{Container, PodView},
};

/// The containers that the annotations of the pod and its ServiceAccount select, each with its list
/// and index.
pub(super) fn selected<'a>(
    pod: &'a PodView,
    annotations: &PodAnnotations,
    binding: &Binding,
) -> impl Iterator<Item = (&'static str, usize, &'a Container)> {
    let skip = annotations.skip_containers.union(&binding.annotations.skip_containers);
    let include = annotations.include_containers.union(&binding.annotations.include_containers);
    let lists =
        [("containers", &pod.spec.containers), ("initContainers", &pod.spec.init_containers)];
    let all = lists.into_iter().flat_map(|(list, containers)| {
        containers.iter().enumerate().map(move |(index, container)| (list, index, container))
    });
    all.filter(move |(_, _, container)| {
        let included = include.is_empty() || include.names(&container.name);
        included && !skip.names(&container.name)
    })
}
