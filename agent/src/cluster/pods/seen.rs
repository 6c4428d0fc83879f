//! What a whole pod says of how it comes to credentials, before it is stripped.

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use podrole_identity::{CredentialProvider, pod_opts_out, variable};

use super::has_ended;
use crate::node::{Seen, Way};

/// A pod of the kubelet's own, which no webhook sees.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// The owner chose among the containers; before the slash stands what the flags say.
const CHOICES: [&str; 2] = ["/skip-containers", "/include-containers"];

/// A pod as it is first seen; none when it has ended or will.
pub(super) fn seen(pod: &Pod) -> Option<Seen> {
    let (metadata, spec) = (&pod.metadata, pod.spec.as_ref()?);
    let over = metadata.deletion_timestamp.is_some() || has_ended(pod);
    let account = spec.service_account_name.as_deref().unwrap_or("default");
    let account = format!("{}/{account}", metadata.namespace.as_deref()?);
    (!over).then_some(())?;
    Some(Seen {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        service_account: account.parse().ok()?,
        way: way(pod, spec),
    })
}

fn way(pod: &Pod, spec: &PodSpec) -> Way {
    if sets(spec, &[variable::CONTAINER_FULL_URI]) {
        Way::Agent
    } else if is_left_alone(pod) || has_volume(spec) || sets(spec, &variable::USER_DECIDED) {
        Way::Own
    } else {
        Way::None
    }
}

/// Whether a container sets one of these variables.
fn sets(spec: &PodSpec, names: &[&str]) -> bool {
    let first = spec.init_containers.iter().flatten();
    let all = first.chain(&spec.containers).filter_map(|container| container.env.as_ref());
    all.flatten().any(|variable| names.contains(&variable.name.as_str()))
}

fn is_left_alone(pod: &Pod) -> bool {
    let label = |name: &str| pod.metadata.labels.as_ref()?.get(name).map(String::as_str);
    let mut annotations = pod.metadata.annotations.iter().flatten();
    let said = |name: &str| name == MIRROR || CHOICES.iter().any(|choice| name.ends_with(choice));
    pod_opts_out(label) || annotations.any(|(name, _)| said(name))
}

fn has_volume(spec: &PodSpec) -> bool {
    // A volume of the user's with the name of ours keeps the webhook away.
    let ours = [CredentialProvider::WebIdentity, CredentialProvider::Container]
        .map(|provider| provider.token_volume().name);
    spec.volumes.iter().flatten().any(|volume| ours.contains(&volume.name))
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

    fn way_of(metadata: &Value, spec: &Value) -> Way {
        seen(&pod(metadata, spec)).unwrap().way
    }

    fn with(variable: &str) -> Value {
        json!([{"name": "a", "env": [{"name": variable, "value": "x"}]}])
    }

    #[test]
    fn a_pod_without_a_way_is_told_from_one_with_a_way() {
        let none = json!({});
        let plain = seen(&pod(&none, &none)).unwrap();
        assert_eq!(
            (plain.way, plain.service_account.to_string().as_str()),
            (Way::None, "shop/app")
        );
        assert_eq!(way_of(&none, &json!({"containers": with("PATH")})), Way::None);
        let uri = with("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        assert_eq!(way_of(&none, &json!({"containers": uri})), Way::Agent);
        for spec in [
            json!({"containers": with("AWS_WEB_IDENTITY_TOKEN_FILE")}),
            json!({"initContainers": with("AWS_ACCESS_KEY_ID")}),
            json!({"volumes": [{"name": "aws-iam-token", "emptyDir": {}}]}),
        ] {
            assert_eq!(way_of(&none, &spec), Way::Own, "{spec}");
        }
        for metadata in [
            json!({"labels": {"podrole.io/injection": "disabled"}}),
            json!({"labels": {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}}),
            json!({"annotations": {"eks.amazonaws.com/skip-containers": "app"}}),
            json!({"annotations": {"kubernetes.io/config.mirror": "x"}}),
        ] {
            assert_eq!(way_of(&metadata, &none), Way::Own, "{metadata}");
        }
    }

    #[test]
    fn a_pod_that_ends_is_not_greeted() {
        let ends = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(seen(&pod(&ends, &json!({}))), None);
        let mut over = pod(&json!({}), &json!({}));
        over.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
        assert_eq!(seen(&over), None);
    }
}
