//! Mistakes that `kubectl apply` reports: warnings, and refusals where injection is required.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    wait,
};
use serde_json::{Value, json};

use super::{Reported, Stage, reported};
use crate::{
    admission::{
        self,
        warnings::{self, apply, change, label},
    },
    daemons::{ACCOUNT, WebhookDaemon, role},
};

const ROLE: &str = "eks.amazonaws.com/role-arn";
const ON_SERVICE_ACCOUNT: &str = "kubectl apply of the ServiceAccount";
const ON_WORKLOAD: &str = "kubectl apply of the workload";
const ON_POD: &str = "kubectl apply of the pod";
const PATIENCE: Duration = Duration::from_secs(20);
const ON_NAMESPACE: &str = "kubectl apply of the Namespace";

/// The first warning among the headers of an answer.
fn first(warnings: &str) -> String {
    let first = warnings.lines().next().unwrap_or_default();
    let text = first.strip_prefix("299 - \"").and_then(|text| text.strip_suffix('"'));
    text.unwrap_or(first).replace("\\\"", "\"").trim_start_matches("podrole: ").to_owned()
}

pub(super) async fn all(stage: &Stage) -> Vec<Reported> {
    let namespace = &stage.namespace;
    // The validating webhook is asked once the API server has heard of it.
    wait::until("the warnings", PATIENCE, async || {
        let bad = service_account(&json!({ROLE: "my-role"}));
        Ok(!apply(namespace, "/api/v1", "serviceaccounts", &bad).await.1.is_empty())
    })
    .await
    .unwrap();
    let mut all = service_accounts(namespace).await;
    all.extend(workloads(namespace).await);
    all.extend(namespaces(namespace, &stage._webhook).await);
    all.extend(pods(namespace, &stage._webhook).await);
    all
}

fn service_account(annotations: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "bad", "annotations": annotations}})
}

async fn service_accounts(namespace: &TestNamespace<'_>) -> Vec<Reported> {
    let role = role();
    let mut all = Vec::new();
    for (mistake, annotations) in [
        ("the role annotation's name is misspelled", json!({"eks.amazonaws.com/role_arn": role})),
        ("the role annotation has another domain", json!({"eks.amazon.com/role-arn": role})),
        (
            "kiam's or kube2iam's annotation is still there",
            json!({"iam.amazonaws.com/role": "app"}),
        ),
        ("the role is a name, not an ARN", json!({ROLE: "my-role"})),
        ("a placeholder is left in the ARN", json!({ROLE: "arn:aws:iam::<ACCOUNT_ID>:role/app"})),
        ("the ARN is a user's", json!({ROLE: format!("arn:aws:iam::{ACCOUNT}:user/app")})),
        (
            "the ARN is an instance profile's",
            json!({ROLE: format!("arn:aws:iam::{ACCOUNT}:instance-profile/app")}),
        ),
        ("a line break is around the ARN", json!({ROLE: format!("{role}\n")})),
        (
            "the token's lifetime has a unit",
            json!({ROLE: role, "eks.amazonaws.com/token-expiration": "5m"}),
        ),
        (
            "the token's lifetime is too short",
            json!({ROLE: role, "eks.amazonaws.com/token-expiration": "60"}),
        ),
        (
            "a session duration with web-identity",
            json!({ROLE: role, "podrole.io/session-duration": "6h"}),
        ),
        ("the provider's name is wrong", json!({ROLE: role, "podrole.io/credentials": "irsa"})),
        (
            "an endpoint that the administrator does not list",
            json!({ROLE: role, "podrole.io/endpoint-url": "https://aws.example"}),
        ),
        ("a Secret over the image's programs", json!({"secret.podrole.io/db": "/usr/bin"})),
        ("the guard-rail is on the ServiceAccount", json!({"podrole.io/permitted-roles": role})),
    ] {
        let object = service_account(&annotations);
        let (status, warnings) = apply(namespace, "/api/v1", "serviceaccounts", &object).await;
        assert_eq!(status, 201, "{mistake}");
        all.push(reported(mistake, ON_SERVICE_ACCOUNT, &first(&warnings)));
    }
    namespace.service_account("later", &[]).await.unwrap();
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/later", namespace.name());
    let warnings = change(namespace, &path, &json!({"annotations": {ROLE: role}})).await;
    all.push(reported(
        "the role is annotated after the pods exist",
        ON_SERVICE_ACCOUNT,
        &first(&warnings),
    ));
    all
}

fn deployment(account: &str, metadata: &Value, container: &Value) -> Value {
    let mut metadata = metadata.clone();
    metadata["labels"]["app"] = json!("web");
    let mut container = container.clone();
    container["name"] = json!("web");
    container["image"] = json!("img");
    let template = json!({"metadata": metadata,
        "spec": {"serviceAccountName": account, "containers": [container]}});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}})
}

async fn workloads(namespace: &TestNamespace<'_>) -> Vec<Reported> {
    let role = role();
    let agents = [(ROLE, role.as_str()), ("podrole.io/credentials", "container")];
    namespace.service_account("web", &[(ROLE, &role)]).await.unwrap();
    namespace.service_account("agents", &agents).await.unwrap();
    let env = |name: &str, value: &str| json!({"env": [{"name": name, "value": value}]});
    let keys = json!({"envFrom": [{"secretRef": {"name": "keys"}}]});
    let regional = json!([{"name": "AWS_REGION", "value": "eu-west-1"}]);
    let proxy = json!({"envFrom": [{"configMapRef": {"name": "proxy"}}], "env": regional});
    let none = json!({"labels": {}});
    let mut all = Vec::new();
    for (mistake, account, metadata, container) in [
        (
            "the role is on the pod template",
            "web",
            json!({"annotations": {ROLE: role}, "labels": {}}),
            json!({}),
        ),
        (
            "the pod's label to opt out is misspelled",
            "web",
            json!({"labels": {"podrole.io/injection": "disable"}}),
            json!({}),
        ),
        (
            "static keys in `env`",
            "web",
            none.clone(),
            env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ),
        ("static keys in `envFrom`", "web", none.clone(), keys),
        ("a profile is still set", "web", none.clone(), env("AWS_PROFILE", "shop")),
        (
            "a file with keys, web-identity",
            "web",
            none.clone(),
            env("AWS_SHARED_CREDENTIALS_FILE", "/keys"),
        ),
        (
            "a file with keys, container",
            "agents",
            none.clone(),
            env("AWS_SHARED_CREDENTIALS_FILE", "/keys"),
        ),
        ("a proxy in `envFrom`", "agents", none, proxy),
    ] {
        let object = deployment(account, &metadata, &container);
        // Until the webhook's watch has the ServiceAccount, nothing is said of its pods.
        let warned = wait::found(mistake, PATIENCE, async || {
            let (status, warnings) =
                apply(namespace, "/apis/apps/v1", "deployments", &object).await;
            anyhow::ensure!(status == 201, "{warnings}");
            Ok(Some(first(&warnings)).filter(|first| !first.is_empty()))
        });
        all.push(reported(mistake, ON_WORKLOAD, &warned.await.unwrap()));
    }
    all
}

async fn namespaces(namespace: &TestNamespace<'_>, webhook: &WebhookDaemon) -> Vec<Reported> {
    let mut all = Vec::new();
    for (mistake, metadata) in [
        ("the label's name is misspelled", json!({"labels": {"podrole.io/inject": "enabled"}})),
        ("the label's value is misspelled", json!({"labels": {"podrole.io/injection": "enable"}})),
        ("the label is an annotation", json!({"annotations": {"podrole.io/injection": "enabled"}})),
        (
            "the guard-rail cannot be read",
            json!({"annotations": {"podrole.io/permitted-roles": "app"}}),
        ),
        (
            "kiam's guard-rail is still there",
            json!({"annotations": {"iam.amazonaws.com/permitted": ".*"}}),
        ),
    ] {
        all.push(reported(mistake, ON_NAMESPACE, &first(&label(namespace, &metadata).await)));
    }
    all.push(reported(
        "the namespace is labelled after the pods exist",
        ON_NAMESPACE,
        &labelled_later(namespace, webhook).await,
    ));
    all
}

/// The warning about a first label, as if the namespace were `namespace`, which has it already.
async fn labelled_later(namespace: &TestNamespace<'_>, webhook: &WebhookDaemon) -> String {
    let other = Cluster::shared().await.unwrap().namespace("m", &[]).await.unwrap();
    warnings::register(&other, webhook).await;
    let enabled = json!({"labels": {"podrole.io/injection": "enabled"}});
    let warned = wait::found("the warning", PATIENCE, async || {
        Ok(Some(first(&label(&other, &enabled).await)).filter(|first| !first.is_empty()))
    });
    warned.await.unwrap().replace(other.name(), namespace.name())
}

/// What keeps pods from being created: Kubernetes' own check, and podrole where it is required.
async fn pods(namespace: &TestNamespace<'_>, webhook: &WebhookDaemon) -> Vec<Reported> {
    let required = [("podrole.io/injection", "required")];
    let strict = Cluster::shared().await.unwrap().namespace("m", &required).await.unwrap();
    admission::register(&strict, webhook).await.unwrap();
    warnings::register(&strict, webhook).await;
    strict.service_account("name", &[(ROLE, "my-role")]).await.unwrap();
    let mut all = Vec::new();
    let missing = refused(namespace, plain_pod("pod", "missing")).await;
    all.push(reported("the ServiceAccount does not exist", ON_POD, &missing));
    let name = refused(&strict, plain_pod("pod", "name")).await;
    all.push(reported("the role is a name, where injection is required", ON_POD, &name));
    let permitted =
        json!({"annotations": {"podrole.io/permitted-roles": "arn:aws:iam::*:role/other"}});
    let api = Api::<Namespace>::all(strict.client());
    let patch = Patch::Merge(json!({ "metadata": permitted }));
    api.patch(strict.name(), &PatchParams::default(), &patch).await.unwrap();
    let denied = wait::found("the refusal", PATIENCE, async || {
        Ok(Some(refused(&strict, plain_pod("pod", "probe")).await).filter(|it| !it.is_empty()))
    });
    let denied = denied.await.unwrap();
    all.push(reported(
        "the guard-rail does not permit the role, where injection is required",
        ON_POD,
        &denied,
    ));
    let object = service_account(&json!({ROLE: role()}));
    let warned = wait::found("the warning", PATIENCE, async || {
        let (_, warnings) = apply(&strict, "/api/v1", "serviceaccounts", &object).await;
        Ok(Some(first(&warnings)).filter(|first| !first.is_empty()))
    });
    let mistake = "the guard-rail does not permit the role";
    all.push(reported(mistake, ON_SERVICE_ACCOUNT, &warned.await.unwrap()));
    for reported in &mut all {
        reported.sentence = reported.sentence.replace(strict.name(), namespace.name());
    }
    all
}

/// Why a pod is refused; empty if it is not.
async fn refused(namespace: &TestNamespace<'_>, pod: Value) -> String {
    let Err(error) = namespace.dry_run(pod).await else {
        return String::new();
    };
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => status.message.clone(),
        _ => format!("{error:#}"),
    }
}
