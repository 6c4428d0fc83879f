//! The install line for kOps, with the flags that the chart renders for it: kOps's OIDC provider lists the audience
//! `amazonaws.com` only, and its ConfigMap is in `kube-system`.

use std::fs;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use podrole_tests::{cluster::Cluster, namespace::plain_pod, project};
use serde_json::{Value, json};
use tokio::time::Duration;

use super::{ENABLED, register, variables};
use crate::{
    daemons::{self, role},
    http,
};

const GOLDEN: &str = "tests/chart/golden/kops.yaml";
const NODE: &str = "kops-node";

/// The flags with one of these names that the chart renders for the container `name`.
fn rendered(name: &str, flags: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(project::root().join(GOLDEN)).unwrap();
    let begin = format!("- name: {name}\n");
    let (_, text) = text.split_once(&begin).unwrap();
    let args = text.lines().skip_while(|line| line.trim() != "args:").skip(1);
    let args = args.map(str::trim).take_while(|line| line.is_empty() || line.starts_with("- \"--"));
    let args = args.map(|line| line.trim_start_matches("- ").trim_matches('"').to_owned());
    let wanted = |arg: &String| flags.iter().any(|flag| arg.starts_with(&format!("{flag}=")));
    let args: Vec<_> = args.filter(wanted).collect();
    assert_eq!(args.len(), flags.len(), "{name}: {args:?}");
    args
}

#[tokio::test]
async fn a_pod_of_kops_gets_its_role_where_the_provider_lists_kops_audience_only() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("kops", &[ENABLED]).await.unwrap();
    namespace.service_account("app", &[]).await.unwrap();
    let entry = format!("{}/app", namespace.name());
    let roles = json!({entry: {"RoleARN": role()}}).to_string();
    let map = json!({"metadata": {"name": "pod-identity-webhook"}, "data": {"config": roles}});
    let map: ConfigMap = serde_json::from_value(map).unwrap();
    let maps = Api::<ConfigMap>::namespaced(namespace.client(), "kube-system");
    maps.create(&PostParams::default(), &map).await.unwrap();
    let flags = ["--token-audience", "--watch-config-map", "--config-map-namespace"];
    let flags = rendered("webhook", &flags);
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let webhook = daemons::webhook(cluster, &flags).await.unwrap();
    register(&namespace, &webhook).await.unwrap();

    let subject = format!("system:serviceaccount:{}:*", namespace.name());
    let mut aws =
        daemons::sandbox_config(cluster.issuer(), &cluster.jwks().await.unwrap(), &subject);
    let account = &mut aws["accounts"][daemons::ACCOUNT];
    account["oidcProviders"][0]["clientIds"] = json!(["amazonaws.com"]);
    let trust = account["roles"]["shop-app"]["trustPolicy"].to_string();
    let trust = trust.replace("sts.amazonaws.com", "amazonaws.com");
    let trust = trust.replace("StringEquals", "StringLike");
    account["roles"]["shop-app"]["trustPolicy"] = serde_json::from_str::<Value>(&trust).unwrap();
    let sandbox = daemons::sandbox_of(&aws).await.unwrap();
    let flags = rendered("agent", &["--audience"]);
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let agent = daemons::agent_with(cluster, &sandbox, NODE, &flags, &[]).await.unwrap();

    // Web identity: the token that the webhook asks for is the one that AWS takes.
    let mut manifest = plain_pod("app", "app");
    manifest["spec"]["nodeName"] = json!(NODE);
    let pod = namespace.pod(manifest).await.unwrap();
    let variables = variables(&pod);
    assert!(variables.iter().any(|(name, value)| name == "AWS_ROLE_ARN" && *value == role()));
    let volumes = pod.spec.clone().and_then(|spec| spec.volumes).unwrap_or_default();
    let volumes = serde_json::to_value(volumes).unwrap();
    let volumes = volumes.as_array().unwrap();
    let ours = volumes.iter().find(|volume| volume["name"] == "aws-iam-token").unwrap();
    let audience = &ours["projected"]["sources"][0]["serviceAccountToken"]["audience"];
    assert_eq!(audience, "amazonaws.com");
    let token = namespace.bound_token(&pod, "amazonaws.com", 3600).await.unwrap();
    let ask = async |token: &str| {
        let query = format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=me&RoleArn={}&WebIdentityToken={token}",
            role()
        );
        podrole_tests::http::get(sandbox.address, &format!("/?{query}"), None).await.unwrap()
    };
    let (status, body) = ask(&token).await;
    assert_eq!(status, 200, "{body}");
    // Without the line's values it would be this.
    let other = namespace.bound_token(&pod, "sts.amazonaws.com", 3600).await.unwrap();
    let (status, body) = ask(&other).await;
    assert!(status == 400 && body.contains("Incorrect token audience"), "{status} {body}");
    // By the agent, for a ServiceAccount that names the role itself.
    let annotations =
        [("eks.amazonaws.com/role-arn", role()), ("podrole.io/credentials", "container".into())];
    let annotations = annotations.each_ref().map(|(key, value)| (*key, value.as_str()));
    namespace.service_account("direct", &annotations).await.unwrap();
    let mut manifest = plain_pod("direct", "direct");
    manifest["spec"]["nodeName"] = json!(NODE);
    let pod = namespace.pod(manifest).await.unwrap();
    let token = namespace.bound_token(&pod, "amazonaws.com", 3600).await.unwrap();
    http::credentials_until(agent.address, &token, 200, Duration::from_secs(10)).await.unwrap();
    maps.delete("pod-identity-webhook", &DeleteParams::default()).await.unwrap();
}
