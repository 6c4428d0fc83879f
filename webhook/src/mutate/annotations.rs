//! The annotations of a pod, as the operator's settings allow them.

use podrole_identity::PodAnnotations;

use crate::{Settings, pod::PodView};

/// The pod's annotations, without an endpoint that is not permitted.
pub(super) fn annotations_of(pod: &PodView, settings: &Settings) -> PodAnnotations {
    let mut annotations = match pod.annotations() {
        Some(annotations) => PodAnnotations::read(annotations, &settings.annotations.prefix),
        None => PodAnnotations::default(),
    };
    let endpoint = annotations.opt_in.restrict_endpoint(&settings.permitted_endpoints);
    annotations.problems.extend(endpoint);
    annotations
}
