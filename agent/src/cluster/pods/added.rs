//! Reads a pod's credential provider from its spec, before the spec is stripped.

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Volume};
use podrole_identity::{CredentialProvider, pod_opts_out, variable};

use super::running::has_ended;
use crate::node::{AddedPod, InTheWay, Obstacle, PodProvider};

/// On a static pod, which the kubelet creates without any webhook.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// The pod's owner chose among its containers. The prefix is configurable.
const CHOICES: [&str; 2] = ["/skip-containers", "/include-containers"];

/// The pod as it was added, or `None` if it has ended or is terminating.
pub(super) fn added(pod: &Pod) -> Option<AddedPod> {
    let (metadata, spec) = (&pod.metadata, pod.spec.as_ref()?);
    let over = metadata.deletion_timestamp.is_some() || has_ended(pod);
    let account = spec.service_account_name.as_deref().unwrap_or("default");
    let account = format!("{}/{account}", metadata.namespace.as_deref()?);
    (!over).then_some(())?;
    Some(AddedPod {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        service_account: account.parse().ok()?,
        provider: provider(pod, spec),
        obstacles: obstacles(spec),
        created: metadata.creation_timestamp.as_ref().map(|at| at.0),
    })
}

fn provider(pod: &Pod, spec: &PodSpec) -> PodProvider {
    if sets(spec, &[variable::CONTAINER_FULL_URI]) {
        PodProvider::Agent
    } else if opted_out(pod) || has_token(spec) || sets(spec, &variable::USER_DECIDED) {
        PodProvider::Other
    } else {
        PodProvider::None
    }
}

/// Whether a container sets one of these environment variables.
fn sets(spec: &PodSpec, names: &[&str]) -> bool {
    let first = spec.init_containers.iter().flatten();
    let all = first.chain(&spec.containers).filter_map(|container| container.env.as_ref());
    all.flatten().any(|variable| names.contains(&variable.name.as_str()))
}

fn opted_out(pod: &Pod) -> bool {
    let label = |name: &str| pod.metadata.labels.as_ref()?.get(name).map(String::as_str);
    let mut annotations = pod.metadata.annotations.iter().flatten();
    let names = |name: &str| name == MIRROR || CHOICES.iter().any(|choice| name.ends_with(choice));
    pod_opts_out(label) || annotations.any(|(name, _)| names(name))
}

const PROVIDERS: [CredentialProvider; 2] =
    [CredentialProvider::WebIdentity, CredentialProvider::Container];

fn volume_named<'a>(spec: &'a PodSpec, name: &str) -> Option<&'a Volume> {
    spec.volumes.iter().flatten().find(|volume| volume.name == name)
}

fn projects_token(volume: &Volume) -> bool {
    let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    sources.into_iter().any(|source| source.service_account_token.is_some())
}

/// Whether the pod has a provider's volume, of this webhook or of another one.
fn has_token(spec: &PodSpec) -> bool {
    let volumes = PROVIDERS.map(CredentialProvider::token_volume);
    volumes.iter().any(|volume| volume_named(spec, &volume.name).is_some_and(projects_token))
}

/// What of the pod's own keeps the webhook from injecting it: at most one thing for each provider.
fn obstacles(spec: &PodSpec) -> Vec<Obstacle> {
    let obstacle = |provider: CredentialProvider| {
        let volume = provider.token_volume();
        let is_mounted = |container: &Container| {
            let mut mounts = container.volume_mounts.iter().flatten();
            mounts.any(|mount| volume.is_mounted_at(&mount.mount_path))
        };
        let mut containers = spec.init_containers.iter().flatten().chain(&spec.containers);
        let what = if volume_named(spec, &volume.name).is_some() {
            InTheWay::Volume
        } else if containers.all(is_mounted) {
            InTheWay::Mount
        } else {
            return None;
        };
        Some(Obstacle { provider, what })
    };
    PROVIDERS.into_iter().filter_map(obstacle).collect()
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
        added(&pod(metadata, spec)).unwrap().provider
    }

    fn with(variable: &str) -> Value {
        json!([{"name": "a", "env": [{"name": variable, "value": "x"}]}])
    }

    #[test]
    fn each_pods_provider_is_recognised() {
        let none = json!({});
        let plain = added(&pod(&none, &none)).unwrap();
        assert_eq!(
            (plain.provider, plain.service_account.to_string().as_str()),
            (PodProvider::None, "shop/app")
        );
        assert_eq!(provider_of(&none, &json!({"containers": with("PATH")})), PodProvider::None);
        let uri = with("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        assert_eq!(provider_of(&none, &json!({"containers": uri})), PodProvider::Agent);
        for spec in [
            json!({"containers": with("AWS_WEB_IDENTITY_TOKEN_FILE")}),
            json!({"initContainers": with("AWS_ACCESS_KEY_ID")}),
            json!({"volumes": [{"name": "aws-iam-token", "projected":
                {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]}),
        ] {
            assert_eq!(provider_of(&none, &spec), PodProvider::Other, "{spec}");
        }
        for metadata in [
            json!({"labels": {"podrole.io/injection": "disabled"}}),
            json!({"labels": {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}}),
            json!({"annotations": {"eks.amazonaws.com/skip-containers": "app"}}),
            json!({"annotations": {"kubernetes.io/config.mirror": "x"}}),
        ] {
            assert_eq!(provider_of(&metadata, &none), PodProvider::Other, "{metadata}");
        }
    }

    #[test]
    fn what_is_in_the_way_of_a_provider_is_found() {
        let path = "/var/run/secrets/eks.amazonaws.com/serviceaccount/";
        let mounts = json!([{"name": "own", "mountPath": path}]);
        let of = |spec: &Value| {
            let added = added(&pod(&json!({}), spec)).unwrap();
            assert_eq!(added.provider, PodProvider::None);
            added.obstacles
        };
        let web_identity = |what| [Obstacle { provider: CredentialProvider::WebIdentity, what }];
        let volume = json!({"volumes": [{"name": "aws-iam-token", "emptyDir": {}}]});
        assert_eq!(of(&volume), web_identity(InTheWay::Volume));
        let mounted = json!([{"name": "app", "volumeMounts": mounts}]);
        assert_eq!(of(&json!({"containers": mounted})), web_identity(InTheWay::Mount));
        let beside = json!([{"name": "app", "volumeMounts": mounts}, {"name": "free"}]);
        assert!(of(&json!({"containers": beside})).is_empty(), "the other container is injected");
        assert!(of(&json!({})).is_empty());
    }

    #[test]
    fn a_pod_that_ends_is_not_reported() {
        let ends = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(added(&pod(&ends, &json!({}))), None);
        let mut over = pod(&json!({}), &json!({}));
        over.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
        assert_eq!(added(&over), None);
    }
}
