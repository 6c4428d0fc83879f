//! Mistakes that an Event on the pod reports.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{
    namespace::{TestNamespace, plain_pod},
    wait,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{super::said::events_on, NODE, Reported, Stage, reported};
use crate::daemons::role;

const ROLE: &str = "eks.amazonaws.com/role-arn";
const PATH: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";

/// The note of the pod's Event with this reason.
pub(super) async fn event(
    namespace: &TestNamespace<'_>,
    pod: &Pod,
    reason: &str,
) -> Option<String> {
    let mut events = events_on(namespace, pod).await.into_iter();
    events.find(|event| event.reason.as_deref() == Some(reason))?.note
}

async fn until(namespace: &TestNamespace<'_>, pod: &Pod, reason: &str) -> String {
    let look = async || Ok(event(namespace, pod, reason).await);
    wait::found(reason, Duration::from_mins(2), look).await.unwrap()
}

async fn make(namespace: &TestNamespace<'_>, name: &str, spec: &Value) -> Pod {
    make_of(namespace, name, "app", spec).await
}

async fn make_of(namespace: &TestNamespace<'_>, name: &str, account: &str, spec: &Value) -> Pod {
    let mut pod = plain_pod(name, account);
    pod["spec"]["nodeName"] = json!(NODE);
    for key in ["volumes", "containers"] {
        if !spec[key].is_null() {
            pod["spec"][key] = spec[key].clone();
        }
    }
    namespace.pod(pod).await.unwrap()
}

pub(super) async fn all(
    stage: &Stage,
    missed: &TestNamespace<'_>,
    unlabelled: &TestNamespace<'_>,
    late: &TestNamespace<'_>,
) -> Vec<Reported> {
    for namespace in [missed, unlabelled, late] {
        namespace.service_account("app", &[(ROLE, &role())]).await.unwrap();
    }
    let too_early = too_early(missed, late).await;
    let mounted = json!([{"name": "app", "image": "img",
        "volumeMounts": [{"name": "own", "mountPath": PATH}]}]);
    let mut all = Vec::new();
    let secrets = secrets(stage);
    for (mistake, name, spec) in [
        ("the pod was created while podrole-webhook was away", "missed", json!({})),
        (
            "a volume of the pod's own at the token's path",
            "own-mount",
            json!({"volumes": [{"name": "own", "emptyDir": {}}], "containers": mounted}),
        ),
        (
            "a volume of the pod's own with the token's name",
            "own-volume",
            json!({"volumes": [{"name": "aws-iam-token", "emptyDir": {}}]}),
        ),
    ] {
        let pod = make(missed, name, &spec).await;
        all.push(reported(mistake, "Event NotInjected", &until(missed, &pod, "NotInjected").await));
    }
    for (mistake, namespace, pod) in &too_early {
        let note = until(namespace, pod, "NotInjected").await;
        all.push(reported(mistake, "Event NotInjected", &note));
    }
    let pod = make(unlabelled, "unlabelled", &json!({})).await;
    let note = until(unlabelled, &pod, "NotOptedIn").await;
    all.push(reported("the namespace has no label", "Event NotOptedIn", &note));
    all.extend(secrets.await);
    all
}

/// Pods that are there before what they need. The agent finds them when they are a minute old.
async fn too_early<'a>(
    missed: &'a TestNamespace<'a>,
    late: &'a TestNamespace<'a>,
) -> [(&'static str, &'a TestNamespace<'a>, Pod); 2] {
    // Without any field of its own it would have no managedFields, and no agent that starts later could date its role.
    missed.service_account("later", &[("example.com/team", "shop")]).await.unwrap();
    let before_role = make_of(missed, "later", "later", &json!({})).await;
    let before_label = make(late, "labelled", &json!({})).await;
    // Kubernetes dates changes in whole seconds.
    sleep(Duration::from_secs(2)).await;
    let annotations = Patch::Merge(json!({"metadata": {"annotations": {ROLE: role()}}}));
    let accounts = Api::<ServiceAccount>::namespaced(missed.client(), missed.name());
    accounts.patch("later", &PatchParams::default(), &annotations).await.unwrap();
    let labels = json!({"metadata": {"labels": {"podrole.io/injection": "enabled"}}});
    let namespaces = Api::<Namespace>::all(late.client());
    namespaces.patch(late.name(), &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
    [
        ("the pod was created before its role", missed, before_role),
        ("the pod was created before its namespace's label", late, before_label),
    ]
}

/// Sets a pod's status as the kubelet does when a Secret is missing.
async fn wait_for_secret(stage: &Stage, name: &str, waiting: &Value) {
    let api = Api::<Pod>::namespaced(stage.namespace.client(), stage.namespace.name());
    let container = json!({"name": "app", "image": "img", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"waiting": waiting}});
    let status = json!({"status": {"phase": "Pending", "containerStatuses": [container]}});
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

async fn secrets(stage: &Stage) -> Vec<Reported> {
    let files = ("secret.podrole.io/db", "/etc/db");
    let variables = ("secret.podrole.io/mq", r#"{"env": "MQ_"}"#);
    let missing =
        json!({"reason": "CreateContainerConfigError", "message": "secret \"mq\" not found"});
    let mut all = Vec::new();
    for (mistake, name, annotation, waiting) in [
        (
            "the Secret of an annotation is missing, as files",
            "files",
            files,
            json!({"reason": "ContainerCreating"}),
        ),
        ("the Secret of an annotation is missing, as variables", "variables", variables, missing),
    ] {
        stage.namespace.service_account(name, &[annotation]).await.unwrap();
        let pod = stage.pod(name, name).await.unwrap();
        wait_for_secret(stage, name, &waiting).await;
        all.push((mistake, pod));
    }
    let mut notes = Vec::new();
    for (mistake, pod) in all {
        let note = until(&stage.namespace, &pod, "WaitingForSecret").await;
        notes.push(reported(mistake, "Event WaitingForSecret", &note));
    }
    notes
}
