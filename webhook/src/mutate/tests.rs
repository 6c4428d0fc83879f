//! Helpers of the tests: a pod, a ServiceAccount's annotations, and the pod after its patch.

mod collisions;
mod debug;
mod endpoint;
mod explain;
mod expressions;
mod missed;
mod opt_in;
mod permission;
mod properties;
mod reference;
mod rules;
mod secrets;

use podrole_identity::{
    AnnotationRules, Annotations, GrantRules, NamespaceFacts, PermittedEndpoints,
};
use serde_json::{Value, json};

use super::*;
use crate::sources::Snapshot;

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const ROLE_KEY: &str = "eks.amazonaws.com/role-arn";

/// A ServiceAccount with a role and more annotations.
fn role(more: &Value) -> Binding {
    let mut annotations: Annotations = serde_json::from_value(more.clone()).unwrap();
    annotations.entry(ROLE_KEY.to_owned()).or_insert_with(|| ROLE.to_owned());
    bind(&annotations)
}

fn bind(annotations: &Annotations) -> Binding {
    bind_by(annotations, &GrantRules::default())
}

fn bind_by(annotations: &Annotations, rules: &GrantRules) -> Binding {
    bind_in(&NamespaceFacts::default(), annotations, rules)
}

/// A ServiceAccount of a namespace that has a guard-rail.
fn bind_in(guard_rail: &NamespaceFacts, annotations: &Annotations, rules: &GrantRules) -> Binding {
    let annotations = AnnotationRules::default().read(annotations.clone());
    let service_account = "shop/app".parse().unwrap();
    let snapshot = Snapshot::default();
    let permitted_endpoints = endpoints(&["http://sandbox.podrole.svc:4566/*"]);
    let settings = Settings { rules: rules.clone(), permitted_endpoints, ..Settings::default() };
    Binding::new(&service_account, annotations.into(), &snapshot, guard_rail, &settings)
}

fn endpoints(patterns: &[&str]) -> PermittedEndpoints {
    let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
    PermittedEndpoints::new(&patterns, "cluster.local").unwrap()
}

fn container_provider() -> Binding {
    role(&json!({"podrole.io/credentials": "container"}))
}

/// The decision about a pod, which must agree with the rule for missed pods.
fn decide(pod: &Value, binding: &Binding, settings: &Settings) -> Outcome {
    let view = PodView::read(&pod.to_string()).unwrap();
    let outcome = mutate(&view, binding, settings, 0);
    missed::assert_agrees(pod, &view, binding, &outcome, settings);
    outcome
}

/// The pod after its patch, if it has one.
fn after(pod: &Value, outcome: &Outcome) -> Value {
    let mut pod = pod.clone();
    if let Outcome::Patch { operations, .. } = outcome {
        json_patch::patch(&mut pod, operations).unwrap();
    }
    pod
}

fn warnings(outcome: &Outcome) -> Vec<&str> {
    match outcome {
        Outcome::Patch { warnings, .. } | Outcome::Skip { warnings, .. } => {
            warnings.iter().map(String::as_str).collect()
        }
        Outcome::Refuse { message, .. } => vec![message],
    }
}

/// The patched pod. A second pass must add nothing and give no warning.
fn patched(pod: &Value, binding: &Binding, settings: &Settings) -> Value {
    let outcome = decide(pod, binding, settings);
    assert!(matches!(outcome, Outcome::Patch { .. }), "{outcome:?}");
    assert_eq!(warnings(&outcome), Vec::<&str>::new());
    let patched = after(pod, &outcome);
    let again = decide(&patched, binding, settings);
    assert_eq!(again, Outcome::skip(Reason::NothingToAdd));
    patched
}

fn web() -> Value {
    json!({"name": "web", "image": "img"})
}

fn pod(containers: &Value) -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"containers": containers}})
}

fn irsa_volume(seconds: u32) -> Value {
    json!({"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": {
        "audience": "sts.amazonaws.com", "expirationSeconds": seconds, "path": "token"}}]}})
}

fn irsa_mount() -> Value {
    json!({"name": "aws-iam-token", "readOnly": true,
        "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"})
}

fn irsa_pair() -> [Value; 2] {
    [
        json!({"name": "AWS_ROLE_ARN", "value": ROLE}),
        json!({"name": "AWS_WEB_IDENTITY_TOKEN_FILE",
            "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"}),
    ]
}

fn container_pair() -> [Value; 2] {
    [
        json!({"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "value": "http://169.254.170.23/v1/credentials"}),
        json!({"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            "value": "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"}),
    ]
}

/// `container` as web identity leaves it.
fn with_irsa(mut container: Value) -> Value {
    container["env"] = json!(irsa_pair());
    container["volumeMounts"] = json!([irsa_mount()]);
    container
}

/// The names of a container's variables, in order.
fn names(container: &Value) -> Vec<&str> {
    let env = container["env"].as_array().into_iter().flatten();
    env.map(|variable| variable["name"].as_str().unwrap()).collect()
}

fn value<'a>(container: &'a Value, name: &str) -> &'a str {
    let mut env = container["env"].as_array().into_iter().flatten();
    let variable = env.find(|variable| variable["name"] == name).unwrap();
    variable["value"].as_str().unwrap()
}
