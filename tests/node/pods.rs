//! Pods as the tests make them, and what a pod says of itself.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// Whether the pod has either way's variables in its first container.
pub(crate) fn is_injected(pod: &Pod) -> bool {
    let ours = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let variables =
        containers.first().and_then(|container| container.env.as_deref()).unwrap_or_default();
    variables.iter().any(|variable| ours.contains(&variable.name.as_str()))
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions =
        pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A pod that is not started again when it ends.
pub(crate) fn pod(name: &str, service_account: &str, containers: &[Value]) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "serviceAccountName": service_account,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "containers": containers,
        },
    })
}

/// A pod of the ServiceAccount `app` for which no scheduler looks: what admission made of it is all that counts.
pub(crate) fn unscheduled(name: &str) -> Value {
    let mut pod = pod(name, "app", &[container("app", "busybox", &["true"])]);
    pod["spec"]["schedulerName"] = "none".into();
    pod
}

/// A container of one of the tests' own images.
pub(crate) fn container(name: &str, image: &str, command: &[&str]) -> Value {
    json!({"name": name, "image": format!("docker.io/local/{image}:test"), "imagePullPolicy": "Never", "command": command})
}
