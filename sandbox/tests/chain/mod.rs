//! Role chaining with AWS's SDK.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use aws_sdk_sts::{
    Client,
    config::Credentials,
    error::ProvideErrorMetadata as _,
    types::{PolicyDescriptorType, Tag},
};
use podrole_sandbox::Config;

use crate::fixture::fixture;

const CONFIG: &str = r#"
accounts:
  "111122223333":
    users:
      node:
        arn: arn:aws:iam::111122223333:user/node
        keys: [{id: AKIANODE000000000000, secret: node-secret}]
        policies:
          assume: {Statement: {Effect: Allow, Action: "sts:*", Resource: "*"}}
    roles:
      base:
        arn: arn:aws:iam::111122223333:role/path/base
        trustPolicy: {Statement: {Effect: Allow, Principal: {AWS: "111122223333"}, Action: "sts:*"}}
        policies:
          onward: {Statement: {Effect: Allow, Action: "sts:*", Resource: "*"}}
  "444455556666":
    roles:
      target:
        arn: arn:aws:iam::444455556666:role/target
        trustPolicy:
          Version: "2012-10-17"
          Statement:
            Effect: Allow
            Principal: {AWS: "arn:aws:iam::111122223333:role/path/base"}
            Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
            Condition: {StringEquals: {aws:RequestTag/team: shop, sts:ExternalId: ours}}
"#;

fn node() -> Credentials {
    Credentials::new("AKIANODE000000000000", "node-secret", None, None, "test")
}

fn given(credentials: Option<aws_sdk_sts::types::Credentials>) -> Credentials {
    let given = credentials.unwrap();
    let token = Some(given.session_token);
    Credentials::new(given.access_key_id, given.secret_access_key, token, None, "test")
}

async fn arn(client: &Client) -> String {
    client.get_caller_identity().send().await.unwrap().arn.unwrap()
}

#[tokio::test]
async fn transitive_tags_reach_a_role_in_another_account() {
    let fixture = fixture(Config::read(CONFIG).unwrap()).await;
    let user = fixture.client(Some(node()));
    assert_eq!(arn(&user).await, "arn:aws:iam::111122223333:user/node");
    let tag = Tag::builder().key("team").value("shop").build().unwrap();
    let policy = PolicyDescriptorType::builder().arn("arn:aws:iam::aws:policy/ReadOnlyAccess");
    let base = user.assume_role().role_arn("arn:aws:iam::111122223333:role/path/base");
    let base = base.role_session_name("one").tags(tag).transitive_tag_keys("team");
    let base = base.policy_arns(policy.build()).source_identity("alice");
    let base = base.send().await.unwrap();
    assert_eq!(base.source_identity.as_deref(), Some("alice"));
    let base = fixture.client(Some(given(base.credentials)));
    assert_eq!(arn(&base).await, "arn:aws:sts::111122223333:assumed-role/base/one");
    let target = base.assume_role().role_arn("arn:aws:iam::444455556666:role/target");
    let target = target.role_session_name("two").external_id("ours").send().await.unwrap();
    let user = target.assumed_role_user.unwrap();
    assert_eq!(user.arn, "arn:aws:sts::444455556666:assumed-role/target/two");
    assert!(user.assumed_role_id.ends_with(":two"), "{}", user.assumed_role_id);
    let target = fixture.client(Some(given(target.credentials)));
    assert_eq!(arn(&target).await, user.arn);
}

#[tokio::test]
async fn a_session_token_cannot_get_another_session_token() {
    let fixture = fixture(Config::read(CONFIG).unwrap()).await;
    let session = fixture.client(Some(node())).get_session_token().send().await.unwrap();
    let session = fixture.client(Some(given(session.credentials)));
    assert_eq!(arn(&session).await, "arn:aws:iam::111122223333:user/node");
    let fault = session.get_session_token().send().await.unwrap_err().into_service_error();
    assert_eq!(fault.code(), Some("AccessDenied"));
}

#[tokio::test]
async fn eks_auth_responds_in_json() {
    let fixture = fixture(Config::read(CONFIG).unwrap()).await;
    let path = "/clusters/shop/assume-role-for-pod-identity";
    let head = "host: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    let answer = fixture.raw(&format!("POST {path} HTTP/1.1\r\n{head}")).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    let code = "x-amzn-errortype: MissingAuthenticationTokenException\r\n";
    assert!(answer.contains(code), "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(body, r#"{"message":"Request is missing Authentication Token"}"#);
    let answer = fixture.get(path).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}
