use podrole_identity::{Annotations, Labels, PodShapeReader};
use serde_json::json;

use super::*;

fn pod(metadata: &Value, spec: &Value) -> Pod {
    let mut whole = json!({
        "metadata": {"name": "app-1", "namespace": "shop", "uid": "1"},
        "spec": {"containers": [{"name": "app"}]},
        "status": {"phase": "Running"},
    });
    for (part, more) in [("metadata", metadata), ("spec", spec)] {
        whole[part].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    serde_json::from_value(whole).unwrap()
}

fn owned(api_version: &str, kind: &str, controller: bool) -> Value {
    json!({"labels": {"pod-template-hash": "5d8c"}, "ownerReferences": [
        {"apiVersion": "example.com/v1", "kind": "ReplicaSet", "name": "other", "uid": "0"},
        {"apiVersion": api_version, "kind": kind, "name": "app-5d8c", "uid": "2",
            "controller": controller}]})
}

#[test]
fn only_pods_of_workloads_that_create_them_again_have_an_owner() {
    let of = |metadata: &Value| pod(metadata, &json!({})).workload();
    let workload = |kind| Some((kind, "shop".to_owned(), "app".to_owned()));
    assert_eq!(of(&owned("apps/v1", "ReplicaSet", true)), workload("ReplicaSet"));
    assert_eq!(of(&owned("apps/v1", "DaemonSet", true)), workload("DaemonSet"));
    for other in [
        json!({}),
        owned("batch/v1", "Job", true),
        owned("v1", "ReplicationController", true),
        owned("example.com/v1", "ReplicaSet", true),
        owned("apps/v1", "ReplicaSet", false),
    ] {
        assert_eq!(of(&other), None, "{other}");
    }
    let mut rollout = owned("apps/v1", "ReplicaSet", true);
    rollout["labels"] = json!({"rollouts-pod-template-hash": "5d8c"});
    assert_eq!(of(&rollout), workload("ReplicaSet"));
    for (field, text) in [
        ("name", "x/scale".to_owned()),
        ("name", "../pods".to_owned()),
        ("name", "x?watch=1".to_owned()),
        ("name", "a".repeat(254)),
        ("uid", "a".repeat(65)),
        ("uid", String::new()),
    ] {
        let mut made_up = owned("apps/v1", "ReplicaSet", true);
        made_up["ownerReferences"][1][field] = text.clone().into();
        assert_eq!(of(&made_up), None, "{field}: {text}");
    }
    let mut set = owned("apps/v1", "StatefulSet", true);
    set["labels"] = json!({});
    let whole = Some(("StatefulSet", "shop".to_owned(), "app-5d8c".to_owned()));
    assert_eq!(of(&set), whole);
}

#[test]
fn a_pod_with_files_of_the_node_or_that_says_so_is_kept() {
    let none = json!({});
    let disabled = json!({"podrole.io/heal": "disabled"});
    let empty = json!({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b",
        "persistentVolumeClaim": {"claimName": "b"}}]});
    assert!(!pod(&none, &empty).is_kept());
    assert!(!pod(&json!({"labels": {"podrole.io/heal": "evict"}}), &none).is_kept());
    assert!(pod(&json!({"labels": disabled}), &none).is_kept());
    assert!(pod(&json!({"annotations": disabled}), &none).is_kept());
    let host = json!({"volumes": [{"name": "a", "hostPath": {"path": "/var/lib/app"}}]});
    assert!(pod(&none, &host).is_kept());
}

#[test]
fn what_its_injection_depends_on_is_read_and_no_value() {
    let metadata = json!({"labels": {"podrole.io/injection": "disabled"},
        "annotations": {"eks.amazonaws.com/skip-containers": "proxy"}});
    let spec = json!({
        "initContainers": [{"name": "first", "env": [
            {"name": "AWS_PROFILE", "value": ""}, {"name": "AWS_REGION", "value": null},
            {"name": "PATH", "value": "s3cret"}]}],
        "containers": [{"name": "app", "env": [{"name": "TOKEN", "valueFrom": {"fieldRef": {}}}],
            "volumeMounts": [{"name": "own", "mountPath": "/data"}]}],
        "volumes": [{"name": "aws-iam-token", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token"}}]}}, {"name": "data", "projected": {}}]});
    let mut metadata = metadata;
    metadata["managedFields"] = json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]);
    let read = pod(&metadata, &spec);
    assert_eq!(read.metadata.managed_fields, None);
    let labels: Labels = [("podrole.io/injection".to_owned(), "disabled".to_owned())].into();
    let skip = ("eks.amazonaws.com/skip-containers".to_owned(), "proxy".to_owned());
    let annotations: Annotations = [skip].into();
    let prefix = AnnotationPrefix::default();
    let mut shape = PodShapeReader::new(&labels, &annotations, &prefix);
    shape.container("first", ["PATH"], []);
    shape.container("app", ["TOKEN"], ["/data"]);
    shape.volume("aws-iam-token", true);
    assert_eq!(read.shape(&prefix), shape.finish());
    assert!(!format!("{read:?}").contains("s3cret"));
}

#[test]
fn a_pod_that_ends_is_not_live() {
    let live = pod(&json!({}), &json!({}));
    assert!(live.is_live() && !live.is_ready());
    assert_eq!(live.service_account().unwrap().to_string(), "shop/default");
    let ends = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    assert!(!pod(&ends, &json!({})).is_live());
    let finished: Pod =
        serde_json::from_value(json!({"metadata": {}, "status": {"phase": "Succeeded"}})).unwrap();
    assert!(!finished.is_live());
}

#[test]
fn an_owner_is_complete_if_all_replicas_of_its_newest_state_are_ready() {
    let set = |generation: i64, ready: i64| {
        json!({"metadata": {"generation": generation}, "spec": {"replicas": 3},
            "status": {"observedGeneration": 2, "readyReplicas": ready}})
    };
    assert!(is_complete("ReplicaSet", &set(2, 3)));
    assert!(!is_complete("ReplicaSet", &set(2, 2)));
    assert!(!is_complete("ReplicaSet", &set(3, 3)), "its controller is behind");
    let daemons = |ready: i64| {
        json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1,
            "desiredNumberScheduled": 2, "numberReady": ready}})
    };
    assert!(is_complete("DaemonSet", &daemons(2)));
    assert!(!is_complete("DaemonSet", &daemons(1)));
    assert!(!is_complete("DaemonSet", &json!({})));
}
