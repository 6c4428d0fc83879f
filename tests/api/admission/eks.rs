//! EKS's webhook beside ours, before it and after it: API servers call webhooks in the order of
//! their configurations' names. Its part is played by a few lines that answer as it does: whole
//! arrays of containers written anew, its volume put first, names looked at and paths not.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Json, Router, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt as _;
use k8s_openapi::{ByteString, api::admissionregistration::v1::MutatingWebhookConfiguration};
use kube::{Api, api::PostParams};
use podrole_certs::{Authority, Serving};
use podrole_runtime::{
    clock::now,
    serve::{Limits, Server},
};
use podrole_tests::{cluster::Cluster, namespace::TestNamespace};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{ENABLED, register};
use crate::daemons::{self, WebhookDaemon, role};

const DAY: Duration = Duration::from_secs(86_400);
/// The variables of a way, and the volume that they need.
type Way = (&'static str, [(&'static str, &'static str); 2], &'static str, &'static str);

const WEB_IDENTITY: Way = (
    "/irsa",
    [
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/shop-app"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"),
    ],
    "aws-iam-token",
    "/var/run/secrets/eks.amazonaws.com/serviceaccount",
);
const POD_IDENTITY: Way = (
    "/pod-identity",
    [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
        ),
    ],
    "eks-pod-identity-token",
    "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
);

fn names<'a>(container: &'a Value, list: &str) -> Vec<&'a str> {
    let all = container[list].as_array().into_iter().flatten();
    all.filter_map(|one| one["name"].as_str()).collect()
}

/// A container as it comes back from EKS's webhook.
fn rewritten(container: &Value, (_, pair, volume, mount): Way) -> Value {
    let mut container = container.clone();
    if !pair.iter().any(|(name, _)| names(&container, "env").contains(name)) {
        let env = pair.map(|(name, value)| json!({"name": name, "value": value}));
        let mut all = container["env"].as_array().cloned().unwrap_or_default();
        all.extend(env);
        container["env"] = all.into();
    }
    if !names(&container, "volumeMounts").contains(&volume) {
        let mut all = container["volumeMounts"].as_array().cloned().unwrap_or_default();
        all.push(json!({"name": volume, "readOnly": true, "mountPath": mount}));
        container["volumeMounts"] = all.into();
    }
    // Go writes what is empty.
    if container["resources"].is_null() {
        container["resources"] = json!({});
    }
    container
}

/// With `sidecar` it adds a container that has nothing, as a mesh's webhook would.
fn answer(review: &Value, way: Way, sidecar: bool) -> Value {
    let request = &review["request"];
    let spec = &request["object"]["spec"];
    let (_, _, volume, _) = way;
    let mut operations = Vec::new();
    if !names(spec, "volumes").contains(&volume) {
        let token = json!({"audience": "sts.amazonaws.com", "expirationSeconds": 86400,
            "path": if volume == "aws-iam-token" { "token" } else { volume }});
        let value = json!({"name": volume,
            "projected": {"sources": [{"serviceAccountToken": token}]}});
        operations.push(match spec["volumes"].is_null() {
            true => json!({"op": "add", "path": "/spec/volumes", "value": [value]}),
            false => json!({"op": "add", "path": "/spec/volumes/0", "value": value}),
        });
    }
    let containers = spec["containers"].as_array().into_iter().flatten();
    let mut containers: Vec<_> = containers.map(|container| rewritten(container, way)).collect();
    if sidecar && !names(spec, "containers").contains(&"sidecar") {
        containers.push(json!({"name": "sidecar", "image": "img"}));
    }
    operations.push(json!({"op": "add", "path": "/spec/containers", "value": containers}));
    let patch = STANDARD.encode(json!(operations).to_string());
    json!({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": {
        "uid": request["uid"], "allowed": true, "patchType": "JSONPatch", "patch": patch}})
}

/// It, while it runs.
struct Eks {
    calls: Arc<AtomicUsize>,
    _stop: DropGuard,
}

/// Registers it under `name`; a failure of it fails the pod, so that none stays unseen.
async fn start(namespace: &TestNamespace<'_>, name: &str, way: Way, sidecar: bool) -> Eks {
    let authority = Authority::mint("EKS", now(), DAY).unwrap();
    let pair = authority.issue(&["127.0.0.1"], now(), DAY).unwrap();
    let tls = Serving::new(&pair).unwrap().server_config().unwrap();
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), Limits::default()).await.unwrap();
    let url = format!("https://{}{}", server.address(), way.0);
    let calls = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&calls);
    let reviewed = move |Json(review): Json<Value>| async move {
        counted.fetch_add(1, SeqCst);
        Json(answer(&review, way, sidecar))
    };
    let (routes, stop) = (Router::new().route(way.0, post(reviewed)), CancellationToken::new());
    tokio::spawn(server.with_tls(tls).run(routes, stop.clone()));
    let configuration = json!({
        "metadata": {"name": format!("{name}-{}", namespace.name())},
        "webhooks": [{
            "name": "pod-identity-webhook.amazonaws.com",
            "clientConfig": {"url": url,
                "caBundle": ByteString(authority.certificate_pem().as_bytes().to_vec())},
            "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "namespaceSelector":
                {"matchLabels": {"kubernetes.io/metadata.name": namespace.name()}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                "operations": ["CREATE"]}],
        }],
    });
    let configuration = serde_json::from_value(configuration).unwrap();
    let api = Api::<MutatingWebhookConfiguration>::all(namespace.client());
    api.create(&PostParams::default(), &configuration).await.unwrap();
    Eks { calls, _stop: stop.drop_guard() }
}

/// A pod of two containers as it is stored, and the warnings; the first that EKS's part was called
/// for.
async fn made(namespace: &TestNamespace<'_>, eks: &Eks) -> (Value, String) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "app-"},
        "spec": {"serviceAccountName": "app", "containers": [
            {"name": "one", "image": "img"}, {"name": "two", "image": "img"}]}});
    let path = format!("/api/v1/namespaces/{}/pods", namespace.name());
    for _ in 0..200 {
        let request = http::Request::post(&path).header("content-type", "application/json");
        let request = request.body(serde_json::to_vec(&pod).unwrap().into()).unwrap();
        let answer = namespace.client().send(request).await.unwrap();
        let warnings = answer.headers().get_all("warning").iter();
        let warnings: Vec<_> = warnings.filter_map(|it| it.to_str().ok()).collect();
        let warnings = warnings.join("\n");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let pod: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(pod["kind"], "Pod", "{pod}");
        if eks.calls.load(SeqCst) > 0 {
            return (pod, warnings);
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("EKS's part was never called");
}

/// Each container has one way and one only, and nothing is there twice.
fn assert_whole(pod: &Value, (_, pair, volume, mount): Way) {
    let once = |all: &[&str]| all.len() == all.iter().collect::<BTreeSet<_>>().len();
    let volumes = names(&pod["spec"], "volumes");
    assert!(once(&volumes) && volumes.contains(&volume), "{volumes:?}");
    for container in pod["spec"]["containers"].as_array().unwrap() {
        let env = names(container, "env");
        assert!(once(&env), "{env:?}");
        let ways = ["AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
        let ways: Vec<_> = ways.iter().filter(|name| env.contains(name)).collect();
        assert_eq!(ways, [&pair[0].0], "{env:?}");
        assert!(env.contains(&pair[1].0), "{env:?}");
        let mounts = container["volumeMounts"].as_array().unwrap();
        let paths: Vec<_> = mounts.iter().filter_map(|it| it["mountPath"].as_str()).collect();
        assert!(once(&paths) && paths.contains(&mount), "{paths:?}");
    }
}

async fn stage(name: &str) -> (TestNamespace<'static>, WebhookDaemon) {
    let cluster = Cluster::shared().await.unwrap();
    let webhook = daemons::webhook(cluster, &[]).await.unwrap();
    let namespace = cluster.namespace(name, &[ENABLED]).await.unwrap();
    register(&namespace, &webhook).await.unwrap();
    let arn = role();
    namespace.service_account("app", &[("eks.amazonaws.com/role-arn", &arn)]).await.unwrap();
    (namespace, webhook)
}

#[tokio::test]
async fn what_ekss_webhook_did_before_ours_is_left_without_a_word() {
    let (namespace, _webhook) = stage("eks-before").await;
    let eks = start(&namespace, "a-eks", WEB_IDENTITY, false).await;
    let (pod, warnings) = made(&namespace, &eks).await;
    assert_whole(&pod, WEB_IDENTITY);
    assert_eq!(names(&pod["spec"], "volumes").first(), Some(&WEB_IDENTITY.2), "ours was first");
    assert_eq!(warnings, "");
}

#[tokio::test]
async fn after_ours_ekss_webhook_adds_nothing_and_a_late_container_is_served_once() {
    let (namespace, webhook) = stage("eks-after").await;
    let eks = start(&namespace, "z-eks", WEB_IDENTITY, true).await;
    let (pod, warnings) = made(&namespace, &eks).await;
    assert_whole(&pod, WEB_IDENTITY);
    let containers = names(&pod["spec"], "containers");
    assert_eq!(containers, ["one", "two", "sidecar"], "{}", webhook.daemon.log());
    assert_eq!(warnings, "");
}

#[tokio::test]
async fn the_other_way_that_ekss_webhook_chose_before_ours_stays_with_one_warning() {
    let (namespace, _webhook) = stage("eks-other").await;
    let eks = start(&namespace, "a-eks", POD_IDENTITY, false).await;
    let (pod, warnings) = made(&namespace, &eks).await;
    assert_whole(&pod, POD_IDENTITY);
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
    assert!(warnings.contains("container credentials are already set"), "{warnings}");
}
