//! Reads a pod's credential provider from its spec, before the spec is stripped.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, PodSpec, Volume};
use podrole_identity::{AnnotationPrefix, PodShape, PodShapeReader, variable};

use super::running::has_ended;
use crate::node::{AddedPod, PodProvider};

/// The pod as it was added, or `None` if it has ended or is terminating.
pub(super) fn added(pod: &Pod, prefix: &AnnotationPrefix) -> Option<AddedPod> {
    let (metadata, spec) = (&pod.metadata, pod.spec.as_ref()?);
    let over = metadata.deletion_timestamp.is_some() || has_ended(pod);
    let account = spec.service_account_name.as_deref().unwrap_or("default");
    let account = format!("{}/{account}", metadata.namespace.as_deref()?);
    (!over).then_some(())?;
    Some(AddedPod {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        service_account: account.parse().ok()?,
        provider: provider(pod, spec, prefix),
        created: metadata.creation_timestamp.as_ref().map(|at| at.0),
    })
}

fn provider(pod: &Pod, spec: &PodSpec, prefix: &AnnotationPrefix) -> PodProvider {
    if sets(spec, variable::CONTAINER_FULL_URI) {
        return PodProvider::Agent;
    }
    let shape = shape(pod, spec, prefix);
    if shape.may_lack() { PodProvider::None(shape) } else { PodProvider::Other }
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

/// Whether a container sets this environment variable.
fn sets(spec: &PodSpec, name: &str) -> bool {
    containers(spec).flat_map(variables).any(|variable| variable == name)
}

/// The variables that have a value or a source.
fn variables(container: &Container) -> impl Iterator<Item = &str> {
    let is_set = |variable: &&EnvVar| {
        variable.value_from.is_some() || variable.value.as_ref().is_some_and(|it| !it.is_empty())
    };
    container.env.iter().flatten().filter(is_set).map(|variable| variable.name.as_str())
}

fn shape(pod: &Pod, spec: &PodSpec, prefix: &AnnotationPrefix) -> PodShape {
    let none = BTreeMap::new();
    let labels = pod.metadata.labels.as_ref().unwrap_or(&none);
    let annotations = pod.metadata.annotations.as_ref().unwrap_or(&none);
    let mut shape = PodShapeReader::new(labels, annotations, prefix);
    for container in containers(spec) {
        let mounts = container.volume_mounts.iter().flatten();
        let paths = mounts.map(|mount| mount.mount_path.as_str());
        shape.container(&container.name, variables(container), paths);
    }
    for volume in spec.volumes.iter().flatten() {
        shape.volume(&volume.name, projects_token(volume));
    }
    shape.finish()
}

fn projects_token(volume: &Volume) -> bool {
    let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    sources.into_iter().any(|source| source.service_account_token.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(metadata: &Value, spec: &Value) -> Pod {
        let mut whole = json!({
            "metadata": {"name": "app-1", "namespace": "shop", "uid": "1"},
            "spec": {"serviceAccountName": "app", "containers": [{"name": "app"}]},
            "status": {"phase": "Pending"},
        });
        for (part, more) in [("metadata", metadata), ("spec", spec)] {
            whole[part].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        serde_json::from_value(whole).unwrap()
    }

    fn provider_of(metadata: &Value, spec: &Value) -> PodProvider {
        added(&pod(metadata, spec), &AnnotationPrefix::default()).unwrap().provider
    }

    fn with(variable: &str) -> Value {
        json!([{"name": "a", "env": [{"name": variable, "value": "x"}]}])
    }

    #[test]
    fn each_pods_provider_is_recognised() {
        let none = json!({});
        let uri = with("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        assert_eq!(provider_of(&none, &json!({"containers": uri})), PodProvider::Agent);
        let source = json!([{"name": "a", "env": [{"name": "AWS_PROFILE", "valueFrom": {}}]}]);
        for spec in [
            json!({"containers": with("AWS_WEB_IDENTITY_TOKEN_FILE")}),
            json!({"initContainers": with("AWS_ACCESS_KEY_ID")}),
            json!({"containers": source}),
            json!({"volumes": [{"name": "aws-iam-token", "projected":
                {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]}),
        ] {
            assert_eq!(provider_of(&none, &spec), PodProvider::Other, "{spec}");
        }
        let mirror = json!({"annotations": {"kubernetes.io/config.mirror": "x"}});
        assert_eq!(provider_of(&mirror, &none), PodProvider::Other);
    }

    #[test]
    fn of_a_pod_without_a_provider_all_that_decides_its_injection_is_read() {
        let metadata = json!({"labels": {"podrole.io/injection": "disabled"},
            "annotations": {"eks.amazonaws.com/skip-containers": "proxy"}});
        let path = "/var/run/secrets/eks.amazonaws.com/serviceaccount/";
        let spec = json!({
            "initContainers": [{"name": "first",
                "env": [{"name": "AWS_PROFILE", "value": ""}, {"name": "PATH", "value": "x"}]}],
            "containers": [{"name": "app", "volumeMounts": [{"name": "own", "mountPath": path}]}],
            "volumes": [{"name": "aws-iam-token", "emptyDir": {}}]});
        let labels = [("podrole.io/injection".to_owned(), "disabled".to_owned())].into();
        let annotations = [("eks.amazonaws.com/skip-containers".to_owned(), "proxy".to_owned())];
        let mut shape =
            PodShapeReader::new(&labels, &annotations.into(), &AnnotationPrefix::default());
        shape.container("first", ["PATH"], []);
        shape.container("app", [], [path]);
        shape.volume("aws-iam-token", false);
        assert_eq!(provider_of(&metadata, &spec), PodProvider::None(shape.finish()));
    }

    #[test]
    fn a_pod_that_ends_is_not_reported() {
        let ends = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(added(&pod(&ends, &json!({})), &AnnotationPrefix::default()), None);
        let mut over = pod(&json!({}), &json!({}));
        over.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
        assert_eq!(added(&over, &AnnotationPrefix::default()), None);
    }
}
