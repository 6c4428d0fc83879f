//! The control plane is renewed: its issuer is another, then its key. Pods do not notice.

use std::time::Duration;

use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    trust,
};
use serde_json::{Value, json};

use super::{NODE, make_node};
use crate::{
    daemons::{self, ACCOUNT, Daemon, role},
    http,
    wire::Wire,
};

const OLD: &str = "https://old.example";
const NEW: &str = "https://new.example";
const AUDIENCE: &str = "sts.amazonaws.com";
/// The agent asks for newer keys once in 5 s.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox that knows both issuers, with the keys that each of the API servers publishes.
async fn sandbox(clusters: &[&Cluster], subject: &str) -> Daemon {
    let mut providers = Vec::new();
    let mut statements = Vec::new();
    for issuer in [OLD, NEW] {
        let mut keys = Vec::<Value>::new();
        for cluster in clusters {
            keys.extend(cluster.jwks().await.unwrap()["keys"].as_array().cloned().unwrap());
        }
        let client_ids = [AUDIENCE];
        providers.push(json!({"url": issuer, "clientIds": client_ids, "jwks": {"keys": keys}}));
        let trust = trust::web_identity(issuer, ACCOUNT, subject);
        statements.extend(trust["Statement"].as_array().cloned().unwrap());
    }
    let trust = json!({"Version": "2012-10-17", "Statement": statements});
    let roles = json!({"shop-app": {"arn": role(), "trustPolicy": trust}});
    let account = json!({"oidcProviders": providers, "roles": roles});
    daemons::sandbox_of(&json!({"accounts": {ACCOUNT: account}})).await.unwrap()
}

/// A new pod, and its token, by this API server.
async fn token(namespace: &TestNamespace<'_>, name: &str) -> String {
    let mut pod = plain_pod(name, "app");
    pod["spec"]["nodeName"] = json!(NODE);
    let pod = namespace.pod(pod).await.unwrap();
    namespace.bound_token(&pod, AUDIENCE, 3600).await.unwrap()
}

/// The same token with the ID of a key that does not exist.
fn forged(token: &str, number: usize) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let (_, rest) = token.split_once('.').unwrap();
    let header = json!({"alg": "RS256", "kid": format!("forged-{number}")}).to_string();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

#[tokio::test]
async fn a_new_issuer_and_a_new_key_are_learned_and_an_old_key_is_forgotten() {
    let first = Cluster::start(OLD).await.unwrap();
    let second = first.successor(NEW).await.unwrap();
    let third = second.successor(NEW).await.unwrap();
    make_node(&first, NODE).await.unwrap();
    let namespace = first.namespace("renewed", &[]).await.unwrap();
    let annotations = [("eks.amazonaws.com/role-arn", role())];
    let annotations = annotations.each_ref().map(|(name, role)| (*name, role.as_str()));
    namespace.service_account("app", &annotations).await.unwrap();
    let subject = format!("system:serviceaccount:{}:app", namespace.name());
    let sandbox = sandbox(&[&first, &third], &subject).await;
    let (wire, folder) = (Wire::to(&first).await.unwrap(), tempfile::tempdir().unwrap());
    let kubeconfig = wire.kubeconfig(&first, folder.path()).unwrap();
    let keys = format!("--keys-cache={}", folder.path().join("keys.json").display());
    let start =
        async || daemons::start_agent(&kubeconfig, &sandbox, NODE, &[&keys], &[]).await.unwrap();
    let agent = start().await;
    daemons::until_ready(&agent).await.unwrap();
    let of_first = token(&namespace, "first").await;
    assert_eq!(http::credentials(agent.address, &of_first).await.unwrap().0, 200);

    // While the agent asks the first API server, which knows nothing of the second's key and issuer.
    let of_second = token(&namespace.by(&second).await.unwrap(), "second").await;
    let (status, body) = http::credentials(agent.address, &of_second).await.unwrap();
    assert_eq!((status, &body["code"]), (503, &json!("TryAgain")), "{body}");
    let flood = (0..64).map(|number| forged(&of_first, number));
    let flood = flood.map(async |token| http::credentials(agent.address, &token).await.unwrap().0);
    let answers = futures::future::join_all(flood).await;
    assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
    assert_eq!(http::credentials(agent.address, &of_first).await.unwrap().0, 200);

    wire.lead_to(&second).unwrap();
    http::credentials_until(agent.address, &of_second, 200, PATIENCE).await.unwrap();
    assert_eq!(http::credentials(agent.address, &of_first).await.unwrap().0, 200);
    // A pod that the agent has not seen yet has a token of the old issuer. An agent that starts
    // now accepts it too.
    let late = token(&namespace, "late").await;
    http::credentials_until(agent.address, &late, 200, PATIENCE).await.unwrap();
    let again = start().await;
    for token in [&late, &of_second] {
        http::credentials_until(again.address, token, 200, PATIENCE).await.unwrap();
    }
    drop(again);

    // The third has a key of its own, and takes the first's no more.
    wire.lead_to(&third).unwrap();
    let of_third = token(&namespace.by(&third).await.unwrap(), "third").await;
    http::credentials_until(agent.address, &of_third, 200, PATIENCE).await.unwrap();
    assert_eq!(http::credentials(agent.address, &of_second).await.unwrap().0, 200);
    let (status, body) = http::credentials(agent.address, &of_first).await.unwrap();
    assert_ne!(status, 200, "{body}\n{}", agent.log());
}
