//! The API server itself: what the other tests stand on is there.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use podrole_tests::{cluster::Cluster, namespace::plain_pod};
use serde_json::Value;

/// The claims of a token, unverified: the test looks at what the API server has put there.
fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(body).unwrap_or_default();
    serde_json::from_slice(&json).unwrap_or_default()
}

#[tokio::test]
async fn the_version_is_the_one_that_was_built() {
    let cluster = Cluster::shared().await.unwrap();
    let version = cluster.client().await.unwrap().apiserver_version().await;
    let version = version.unwrap().git_version;
    assert!(version.starts_with("v1."), "{version}");
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_stored_pod_names_it() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("bound", &[("team", "a")]).await.unwrap();
    let account = namespace.service_account("app", &[("example.org/a", "b")]).await.unwrap();
    let pod = namespace.pod(plain_pod("app-1", "app")).await.unwrap();
    let token = namespace.bound_token(&pod, "sts.amazonaws.com", 3600).await.unwrap();
    let claims = claims(&token);
    assert_eq!(claims["iss"], cluster.issuer());
    assert_eq!(claims["aud"][0], "sts.amazonaws.com");
    let about = &claims["kubernetes.io"];
    assert_eq!(about["namespace"], namespace.name());
    assert_eq!(about["pod"]["name"], "app-1");
    assert_eq!(about["pod"]["uid"], pod.metadata.uid.unwrap());
    assert_eq!(about["serviceaccount"]["uid"], account.metadata.uid.unwrap());
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("dry", &[]).await.unwrap();
    namespace.service_account("app", &[]).await.unwrap();
    namespace.dry_run(plain_pod("app-1", "app")).await.unwrap();
    namespace.pod(plain_pod("app-1", "app")).await.unwrap();
}

#[tokio::test]
async fn the_keys_are_published() {
    let keys = Cluster::shared().await.unwrap().jwks().await.unwrap();
    assert_eq!(keys["keys"][0]["kty"], "RSA", "{keys}");
    assert_eq!(keys["keys"][0]["alg"], "RS256", "{keys}");
}
