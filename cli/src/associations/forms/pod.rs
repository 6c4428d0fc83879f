//! Pods, and workloads that create them, with the annotations of kube2iam and kiam.

use podrole_identity::ServiceAccountRef;
use podrole_webhook::template;
use serde_json::Value;

use super::super::{
    annotated_pods::{DEFAULT, EXTERNAL_ID, PodRole, ROLE, SESSION_NAME},
    merged::Merged,
    node::Node,
    place::InputError,
};

/// The JSON pointer to the pod, or to the pod template of a workload; `None` for other kinds.
pub(super) fn pointer(group: &str, kind: &str) -> Option<&'static str> {
    if (group, kind) == ("", "Pod") { Some("") } else { template(group, kind) }
}

/// Reads a Pod or a workload. `kind` is that of a list whose items name none.
pub(super) fn read(node: &Node<'_>, kind: &str, pointer: &str, merged: &mut Merged) {
    // A ReplicaSet that is scaled to zero is what a Deployment had before, perhaps with another role.
    let is_scaled_to_zero = node.value.pointer("/spec/replicas").and_then(Value::as_u64) == Some(0);
    if kind == "ReplicaSet" && is_scaled_to_zero {
        return;
    }
    let path: Vec<&str> = pointer.split('/').skip(1).collect();
    // A patch of Kustomize may have no template.
    let Some(pod) = node.at(&path) else { return };
    let object = object(node, kind);
    match pod_role(&pod, &object) {
        Ok(Some(role)) => match service_account(node, &pod, &object) {
            Ok(service_account) => merged.add_pod(service_account, role),
            Err(error) => merged.fail(error),
        },
        // A pod that gets no association is not checked.
        Ok(None) => {
            if let Ok(service_account) = service_account(node, &pod, &object) {
                merged.add_pod_without_role(service_account, &object);
            }
        }
        Err(error) => merged.fail(error),
    }
}

/// Kind and name.
fn object(node: &Node<'_>, kind: &str) -> String {
    let name = |key: &str| node.value.pointer(key).and_then(Value::as_str);
    let name = name("/metadata/name").or_else(|| name("/metadata/generateName"));
    format!("{kind} {}", name.unwrap_or("without a name"))
}

fn pod_role(pod: &Node<'_>, object: &str) -> Result<Option<PodRole>, InputError> {
    let Some(annotations) = pod.at(&["metadata", "annotations"]) else { return Ok(None) };
    let Some(role) = annotations.text(ROLE)? else { return Ok(None) };
    let place = annotations.child(ROLE).unwrap_or(annotations.clone()).place();
    Ok(Some(PodRole {
        place,
        object: object.to_owned(),
        role,
        external_id: annotations.text(EXTERNAL_ID)?,
        session_name: annotations.text(SESSION_NAME)?,
    }))
}

fn service_account(
    node: &Node<'_>,
    pod: &Node<'_>,
    object: &str,
) -> Result<ServiceAccountRef, InputError> {
    let metadata = node.child("metadata");
    let namespace = metadata.map_or(Ok(None), |metadata| metadata.text("namespace"))?;
    let Some(namespace) = namespace else {
        let what = format!(
            "{object}: it has no namespace; set metadata.namespace, or import what `kubectl get pods -A \
             -o json` prints"
        );
        return Err(node.error(what));
    };
    let spec = pod.child("spec").unwrap_or(pod.clone());
    // The API server copies the field's old name.
    let name = spec
        .text("serviceAccountName")?
        .map_or_else(|| spec.text("serviceAccount"), |it| Ok(Some(it)))?;
    let name = name.unwrap_or_else(|| DEFAULT.to_owned());
    ServiceAccountRef::new(&namespace, &name)
        .map_err(|error| node.error(format!("{object}: {namespace}/{name}: {error}")))
}
