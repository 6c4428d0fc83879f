//! Mistakes that the agent's answer reports, which the SDK's error or the Event on the pod has too.

use podrole_tests::{cluster::Cluster, namespace::plain_pod, trust, wait};
use serde_json::json;
use std::time::Duration;

use super::{NODE, Reported, Stage, outages::ANSWER, reported};
use crate::{
    daemons::{self, ACCOUNT, Daemon, REGION, sandbox_config},
    http,
};

const OTHER_ACCOUNT: &str = "444455556666";
const STS: &str = "sts.amazonaws.com";

/// An agent whose sandbox has a role for each mistake.
async fn strict(stage: &Stage) -> (Daemon, Daemon) {
    let cluster = Cluster::shared().await.unwrap();
    let (issuer, jwks) = (cluster.issuer(), cluster.jwks().await.unwrap());
    let subject = |name: &str| format!("system:serviceaccount:{}:{name}", stage.namespace.name());
    let mut config = sandbox_config(issuer, &jwks, &subject("app"));
    let host = issuer.trim_start_matches("https://");
    let mut audience = trust::web_identity(issuer, ACCOUNT, &subject("audience"));
    audience["Statement"][0]["Condition"]["StringEquals"][format!("{host}:aud")] = json!("other");
    let roles = &mut config["accounts"][ACCOUNT]["roles"];
    roles["audience"] = json!({"arn": arn(ACCOUNT, "audience"), "trustPolicy": audience});
    let foreign = trust::web_identity(issuer, OTHER_ACCOUNT, &subject("client"));
    config["accounts"][OTHER_ACCOUNT] = json!({
        "oidcProviders": [{"url": issuer, "clientIds": ["other"], "jwks": jwks}],
        "roles": {"client": {"arn": arn(OTHER_ACCOUNT, "client"), "trustPolicy": foreign}},
    });
    config["accounts"]["777788889999"] = json!({});
    let sandbox = daemons::sandbox_of(&config).await.unwrap();
    let agent = daemons::agent(cluster, &sandbox, NODE).await.unwrap();
    (agent, sandbox)
}

fn arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

pub(super) async fn all(stage: &Stage) -> Vec<Reported> {
    let mut all = roles(stage).await;
    all.extend(service_accounts(stage).await);
    all.extend(requests(stage).await);
    all
}

fn message(body: &serde_json::Value) -> String {
    body["message"].as_str().unwrap_or_default().to_owned()
}

async fn roles(stage: &Stage) -> Vec<Reported> {
    let (agent, _sandbox) = strict(stage).await;
    let mut all = Vec::new();
    for (mistake, name, role, status) in [
        ("the trust policy names another ServiceAccount", "another", arn(ACCOUNT, "shop-app"), 403),
        ("the trust policy names another audience", "audience", arn(ACCOUNT, "audience"), 403),
        ("the role does not exist", "nowhere", arn(ACCOUNT, "nowhere"), 403),
        (
            "the role's account has no OIDC provider for the issuer",
            "issuer",
            arn("777788889999", "app"),
            400,
        ),
        (
            "the sandbox of local mode does not have the role's account",
            "account",
            arn("666677778888", "app"),
            400,
        ),
        (
            "the OIDC provider does not list the audience",
            "client",
            arn(OTHER_ACCOUNT, "client"),
            400,
        ),
    ] {
        let annotations = [
            ("eks.amazonaws.com/role-arn", role.as_str()),
            ("podrole.io/credentials", "container"),
        ];
        stage.namespace.service_account(name, &annotations).await.unwrap();
        let pod = stage.pod(name, name).await.unwrap();
        let token = stage.namespace.bound_token(&pod, STS, 3600).await.unwrap();
        let body = until(&agent, &token, status).await;
        all.push(reported(mistake, ANSWER, &message(&body)));
    }
    all
}

async fn until(agent: &Daemon, token: &str, status: u16) -> serde_json::Value {
    let answered = http::credentials_until(agent.address, token, status, Duration::from_secs(20));
    answered.await.unwrap_or_else(|error| panic!("{error:#}\n{}", agent.log()))
}

async fn service_accounts(stage: &Stage) -> Vec<Reported> {
    let mut all = Vec::new();
    let china = [
        ("eks.amazonaws.com/role-arn", "arn:aws-cn:iam::111122223333:role/app"),
        ("podrole.io/credentials", "container"),
    ];
    stage.namespace.service_account("china", &china).await.unwrap();
    let pod = stage.pod("china", "china").await.unwrap();
    let token = stage.namespace.bound_token(&pod, STS, 3600).await.unwrap();
    let body = until(&stage.agent, &token, 400).await;
    all.push(reported("the role is in another partition", ANSWER, &message(&body)));
    stage.namespace.service_account("no-role", &[]).await.unwrap();
    let pod = stage.pod("no-role", "no-role").await.unwrap();
    let token = stage.namespace.bound_token(&pod, STS, 3600).await.unwrap();
    let body = until(&stage.agent, &token, 404).await;
    all.push(reported("the ServiceAccount names no role", ANSWER, &message(&body)));

    stage.service_account("gone", "container").await.unwrap();
    let pod = stage.pod("gone", "gone").await.unwrap();
    let token = stage.namespace.bound_token(&pod, STS, 3600).await.unwrap();
    let api = kube::Api::<k8s_openapi::api::core::v1::ServiceAccount>::namespaced(
        stage.namespace.client(),
        stage.namespace.name(),
    );
    api.delete("gone", &kube::api::DeleteParams::default()).await.unwrap();
    let body = until(&stage.agent, &token, 404).await;
    all.push(reported("the ServiceAccount was deleted", ANSWER, &message(&body)));
    stage.service_account("gone", "container").await.unwrap();
    let body = until(&stage.agent, &token, 403).await;
    all.push(reported("the ServiceAccount was created again", ANSWER, &message(&body)));

    let cluster = Cluster::shared().await.unwrap();
    let list = stage.folder.path().join("associations.json");
    std::fs::write(&list, r#"{"identities":[]}"#).unwrap();
    let list = format!("--associations={}", list.display());
    let arn = format!("--cluster-arn=arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shop");
    let flags = ["--exchange=assume-role", "--cluster-name=shop", &arn, &list];
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let agent = daemons::agent_with(cluster, &stage.sandbox, NODE, &flags, &keys).await.unwrap();
    let pod = stage.namespace.pod(on_node("listed", "no-role")).await.unwrap();
    let token = stage.namespace.bound_token(&pod, "pods.eks.amazonaws.com", 3600).await.unwrap();
    let body = until(&agent, &token, 404).await;
    all.push(reported("assume-role, and no association", ANSWER, &message(&body)));
    let pod = stage.namespace.pod(on_node("annotated", "gone")).await.unwrap();
    let token = stage.namespace.bound_token(&pod, "pods.eks.amazonaws.com", 3600).await.unwrap();
    let body = until(&agent, &token, 404).await;
    all.push(reported("assume-role, and only an annotation", ANSWER, &message(&body)));
    all
}

fn on_node(name: &str, account: &str) -> serde_json::Value {
    let mut pod = plain_pod(name, account);
    pod["spec"]["nodeName"] = json!(NODE);
    pod
}

/// Mistakes in how the agent is asked.
async fn requests(stage: &Stage) -> Vec<Reported> {
    let mut all = Vec::new();
    stage.service_account("asks", "container").await.unwrap();
    let pod = stage.pod("asks", "asks").await.unwrap();
    let namespace = &stage.namespace;
    let good = namespace.bound_token(&pod, STS, 3600).await.unwrap();
    let other = namespace.bound_token(&pod, "vault.example.org", 3600).await.unwrap();
    let unbound = namespace.unbound_token("asks", STS, 3600).await.unwrap();
    let elsewhere = namespace.pod(plain_pod("asks-elsewhere", "asks")).await.unwrap();
    let elsewhere = namespace.bound_token(&elsewhere, STS, 3600).await.unwrap();
    for (mistake, token, status) in [
        ("the token's audience is another", &other, 400),
        ("the token is not a pod's", &unbound, 403),
        ("the token is of a pod on another node", &elsewhere, 403),
        ("no token is sent", &String::new(), 400),
    ] {
        let body = until(&stage.agent, token, status).await;
        all.push(reported(mistake, ANSWER, &message(&body)));
    }
    let old = http::get_as(stage.agent.address, "/v1/credentials", "aws-sdk-go/1.44.0").await;
    let (status, body) = old.unwrap();
    assert_eq!(status, 400, "{body}");
    let body = serde_json::from_str(&body).unwrap();
    all.push(reported("the SDK is too old for the provider container", ANSWER, &message(&body)));

    // Through a proxy, which has an address of its own.
    for (name, address) in [("asks", "127.0.0.16"), ("asks-elsewhere", "127.0.0.17")] {
        namespace.set_address(name, address).await.unwrap();
    }
    namespace.pod(on_node("proxy", "asks")).await.unwrap();
    namespace.set_address("proxy", "127.0.0.18").await.unwrap();
    let asked = wait::found("the refusal", Duration::from_secs(10), async || {
        let (status, body) =
            http::credentials_from("127.0.0.18", stage.agent.address, &good).await?;
        Ok((status == 403 && body["code"] == "PodNotServed").then_some(body))
    });
    all.push(reported(
        "a proxy is between the pod and the agent",
        ANSWER,
        &message(&asked.await.unwrap()),
    ));
    all
}
