//! A pod is called missed, reported and perhaps evicted, only if the webhook would inject it. Checked beside each
//! decision of these tests.

use podrole_identity::{Annotations, Labels, PodShape, PodShapeReader, lacked_provider, variable};

use super::*;
use crate::pod::Container;

fn shape(view: &PodView, settings: &Settings) -> PodShape {
    let (labels, annotations) = (Labels::new(), Annotations::new());
    let labels = view.labels().unwrap_or(&labels);
    let annotations = view.annotations().unwrap_or(&annotations);
    let mut shape = PodShapeReader::new(labels, annotations, &settings.annotations.prefix);
    for container in containers(view) {
        let set = container.env.iter().filter(|it| it.literal().is_none_or(|it| !it.is_empty()));
        let paths = container.volume_mounts.iter().map(|mount| mount.mount_path.as_str());
        shape.container(&container.name, set.map(|it| it.name.as_str()), paths);
    }
    for volume in &view.spec.volumes {
        shape.volume(&volume.name, volume.projects_any_token());
    }
    shape.finish()
}

fn containers(view: &PodView) -> impl Iterator<Item = &Container> {
    view.spec.init_containers.iter().chain(&view.spec.containers)
}

/// Whether the patch gives a container its provider.
fn gives_provider(before: &Value, outcome: &Outcome) -> bool {
    let lists = ["initContainers", "containers"];
    let counted = |pod: &Value| {
        let all = lists.iter().flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
        let env = all.flat_map(|container| container["env"].as_array().into_iter().flatten());
        let pair = [variable::CONTAINER_FULL_URI, variable::WEB_IDENTITY_TOKEN_FILE];
        let value = |it: &&Value| it["value"].as_str().is_some_and(|value| !value.is_empty());
        env.filter(value).filter(|it| pair.iter().any(|name| it["name"] == *name)).count()
    };
    counted(&after(before, outcome)) > counted(before)
}

pub(super) fn assert_agrees(
    pod: &Value,
    view: &PodView,
    binding: &Binding,
    outcome: &Outcome,
    settings: &Settings,
) {
    // The agent asks for the label of the namespace, and the webhook is only called for such pods.
    let namespace = NamespaceFacts::default();
    let shape = shape(view, settings);
    if shape.opts_out_of(&namespace) {
        return;
    }
    let lack = lacked_provider(&shape, &binding.annotations, &binding.grant, &namespace);
    let is_missed = lack.is_some_and(|lack| lack.obstacle.is_none());
    let injected = gives_provider(pod, outcome);
    assert!(injected || !is_missed, "missed, but not injected: {pod}\n{outcome:?}");
    // What is injected and not missed has something of its own at the token's place.
    let volumes = CredentialProvider::ALL.map(CredentialProvider::token_volume);
    let mounts = |container: &Container| {
        let mut paths = container.volume_mounts.iter().map(|mount| &mount.mount_path);
        paths.any(|path| volumes.iter().any(|volume| volume.is_mounted_at(path)))
    };
    let is_plain = shape.may_lack() && !containers(view).any(mounts);
    assert!(!injected || !is_plain || is_missed, "injected, but not missed: {pod}\n{outcome:?}");
}

#[test]
fn the_check_sees_a_pod_that_is_missed_and_one_that_is_not() {
    let (plain, settings) = (pod(&json!([web()])), Settings::default());
    let binding = container_provider();
    let outcome = decide(&plain, &binding, &settings);
    assert!(gives_provider(&plain, &outcome));
    assert!(!gives_provider(&plain, &Outcome::skip(Reason::NoRole)));
    let lack = |pod: &Value| {
        let shape = shape(&PodView::read(&pod.to_string()).unwrap(), &settings);
        lacked_provider(&shape, &binding.annotations, &binding.grant, &NamespaceFacts::default())
    };
    assert!(lack(&plain).is_some());
    assert_eq!(lack(&after(&plain, &outcome)), None);
}
