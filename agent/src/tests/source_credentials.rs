//! From a request to STS and back, with the agent's own credentials.

use std::sync::Arc;

use aws_credential_types::{Credentials as Keys, provider::SharedCredentialsProvider};
use podrole_identity::{AssociationList, ClusterId, Exchange, PermittedRoles};
use podrole_runtime::{health::Health, latest::Latest};
use serde_json::{Value, json};

use super::{
    fixture::{ROLE, RSA, rules},
    full_path::{World, world_with},
    sts::FakeSts,
};
use crate::{
    clock::Clock,
    exchange::{
        ExchangeClient, assume_role::AssumeRole, source_credentials::SourceCredentials,
        sts::Endpoint, web_identity::WebIdentity,
    },
    http_client::HttpClients,
    resolve::{LookupMap, NamespaceFacts},
    token::Rules,
};

const TARGET: &str = "arn:aws:iam::444455556666:role/target";
const CLUSTER: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/shop-1";

pub(crate) fn own() -> (SourceCredentials, Health) {
    let keys = || {
        let keys = Keys::new("AKIAOFTHENODE", "secret-of-the-node", None, None, "test");
        SharedCredentialsProvider::new(keys)
    };
    let health = Health::default();
    let gate = health.gate("own");
    (SourceCredentials::from(keys, Clock::default(), gate), health)
}

pub(crate) fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        region: "eu-central-1".to_owned(),
        endpoint_url: Some(url.to_owned()),
        ..Endpoint::default()
    }
}

pub(crate) fn pod_identity_rules() -> Rules {
    let audiences = vec![Exchange::AssumeRole.audience()];
    Rules { audiences, ..rules() }
}

fn list(fields: &Value) -> Latest<AssociationList> {
    let mut entry = json!({"namespace": "shop", "serviceAccount": "app", "roleArn": ROLE});
    entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let list = json!({"identities": [entry]}).to_string();
    Latest::from(AssociationList::read(&list).unwrap())
}

pub(super) async fn assume_role(fields: Value) -> (World, Health) {
    let (own, health) = own();
    let exchange = |sts: &FakeSts| {
        let exchange = AssumeRole::at(&endpoint(sts.url()), &HttpClients::default(), own);
        Arc::new(exchange) as Arc<dyn ExchangeClient>
    };
    let world = world_with(exchange, pod_identity_rules(), |options| {
        options.list = list(&fields);
        options.sessions.rules.cluster = Some(ClusterId::new("shop-1", CLUSTER).unwrap());
        options.sessions.rules.session_tags = true;
    });
    (world.await, health)
}

pub(super) fn pods_token(world: &World) -> String {
    let mut claims = world.claims();
    claims["aud"] = json!(["pods.eks.amazonaws.com"]);
    RSA.token("RS256", &claims)
}

#[tokio::test]
async fn the_nodes_credentials_assume_the_role_and_the_token_is_not_sent() {
    let (world, health) = assume_role(json!({})).await;
    let token = pods_token(&world);
    let (status, body) = world.ask(&token).await;
    assert_eq!((status, &body["AccountId"]), (200, &"111122223333".into()), "{body}");
    assert!(health.pending().is_empty());
    let seen = world.sts.seen().concat();
    for part in [
        "Action=AssumeRole&",
        "RoleSessionName=shop.app",
        "Tags.member.1.Key=eks-cluster-arn",
        "Tags.member.3.Key=kubernetes-namespace&Tags.member.3.Value=shop",
        "Tags.member.6.Key=kubernetes-pod-uid&Tags.member.6.Value=pod-uid",
        "TransitiveTagKeys.member.6=kubernetes-pod-uid",
        "&signed=true&key=AKIAOFTHENODE",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    let signature = token.rsplit('.').next().unwrap();
    assert!(!seen.contains(signature) && !seen.contains("DurationSeconds"), "{seen}");
    let sts = world.ask(&world.token()).await;
    assert_eq!(sts.0, 400, "another exchange's audience: {}", sts.1);
}

#[tokio::test]
async fn the_first_roles_credentials_assume_the_target_role() {
    let (world, _) = assume_role(json!({"targetRoleArn": TARGET})).await;
    let (status, body) = world.ask(&pods_token(&world)).await;
    assert_eq!((status, &body["AccessKeyId"]), (200, &"ASIAOFtarget".into()), "{body}");
    assert_eq!(body["AccountId"], "444455556666");
    let seen = world.sts.seen();
    assert_eq!(seen.len(), 2);
    for part in [
        "role%2Ftarget",
        "ExternalId=eu-west-1%2F111122223333%2Fshop-1%2Fshop%2Fapp",
        "DurationSeconds=3540",
        "key=ASIAFROMSTS",
    ] {
        assert!(seen[1].contains(part), "{part} in {}", seen[1]);
    }
    assert!(!seen[1].contains("Tags.member"), "inherited tags cannot be passed again");
    assert!(!seen[0].contains("ExternalId") && !seen[0].contains("DurationSeconds"));
}

#[tokio::test]
async fn if_the_target_role_refuses_the_first_roles_credentials_are_not_served() {
    let (own_world, _) = assume_role(json!({"targetRoleArn": TARGET})).await;
    let web = |sts: &FakeSts| {
        Arc::new(WebIdentity::at(&endpoint(sts.url()), &HttpClients::default())) as _
    };
    let fields = json!({"targetRoleArn": TARGET, "externalId": "the-id"});
    let web_world = world_with(web, rules(), |options| options.list = list(&fields)).await;
    for (world, token) in [(&own_world, pods_token(&own_world)), (&web_world, web_world.token())] {
        world.sts.fails_at("role%2Ftarget", 403, "AccessDenied");
        let (status, body) = world.ask(&token).await;
        assert_eq!(status, 403, "{body}");
        assert!(!body.to_string().contains("ASIA"), "{body}");
        assert!(body["message"].as_str().unwrap().contains("to assume the target role"), "{body}");
    }
}

#[tokio::test]
async fn an_error_of_the_agents_own_credentials_is_not_held_against_the_pod() {
    let (world, health) = assume_role(json!({})).await;
    world.sts.fails_with(403, "InvalidClientTokenId");
    let token = pods_token(&world);
    let (status, body) = world.ask(&token).await;
    assert_eq!((status, &body["code"]), (503, &"TryAgain".into()), "{body}");
    assert_eq!(health.pending(), ["own"], "the agent is not ready");
    world.sts.works_again();
    assert_eq!(world.ask(&token).await.0, 200, "the pod is served");
    assert!(health.pending().is_empty());
}

#[tokio::test]
async fn a_duration_that_the_role_does_not_allow_is_retried_with_an_hour() {
    let (world, _) = assume_role(json!({"durationSeconds": 43200})).await;
    world.sts.fails_at("DurationSeconds=43200", 400, "ValidationError");
    let (status, body) = world.ask(&pods_token(&world)).await;
    assert_eq!(status, 200, "{body}");
    let seen = world.sts.seen();
    assert_eq!(seen.len(), 2);
    assert!(!seen[1].contains("DurationSeconds"), "{}", seen[1]);
    let (other, _) = assume_role(json!({})).await;
    other.sts.fails_with(400, "ValidationError");
    assert_eq!(other.ask(&pods_token(&other)).await.0, 400);
    assert_eq!(other.sts.calls(), 1);
}

#[tokio::test]
async fn a_session_policy_is_sent() {
    let policy = json!({"policy": "{\"a\":1}", "disableSessionTags": true});
    let (world, _) = assume_role(policy).await;
    assert_eq!(world.ask(&pods_token(&world)).await.0, 200);
    let seen = world.sts.seen().concat();
    assert!(seen.contains("Policy=%7B%22a%22%3A1%7D") && !seen.contains("Tags."), "{seen}");
}

#[tokio::test]
async fn a_changed_association_forgets_remembered_errors() {
    let associations = list(&json!({}));
    let (own, _health) = own();
    let exchange = |sts: &FakeSts| {
        let exchange = AssumeRole::at(&endpoint(sts.url()), &HttpClients::default(), own);
        Arc::new(exchange) as Arc<dyn ExchangeClient>
    };
    let shared = associations.clone();
    let world = world_with(exchange, pod_identity_rules(), |options| options.list = shared);
    let world = world.await;
    world.sts.fails_with(403, "AccessDenied");
    let token = pods_token(&world);
    assert_eq!(world.ask(&token).await.0, 403);
    world.sts.works_again();
    assert_eq!(world.ask(&token).await.0, 403, "it is remembered");
    // The cache's key stays the same; only the association's text changed.
    let renamed = list(&json!({"externalId": "ignored-without-a-target"}));
    associations.set(AssociationList::clone(&renamed.current().unwrap()));
    assert_eq!(world.ask(&token).await.0, 200);
    associations.set(AssociationList::default());
    assert_eq!(world.ask(&token).await.0, 404, "a deleted association permits nothing");
}

#[tokio::test]
async fn an_unknown_namespace_permits_nothing() {
    let namespaces = LookupMap::<String, NamespaceFacts>::default();
    let known = namespaces.clone();
    let web = |sts: &FakeSts| {
        Arc::new(WebIdentity::at(&endpoint(sts.url()), &HttpClients::default())) as _
    };
    let world = world_with(web, rules(), |options| options.namespaces = Arc::new(known)).await;
    let token = world.token();
    assert_eq!(world.ask(&token).await.0, 503);
    let permits = |value| NamespaceFacts {
        permitted: PermittedRoles::read(value),
        ..NamespaceFacts::default()
    };
    namespaces.insert("shop".to_owned(), permits(Some("arn:aws:iam::111122223333:role/other")));
    assert_eq!(world.ask(&token).await.0, 403);
    namespaces.insert("shop".to_owned(), permits(None));
    assert_eq!(world.ask(&token).await.0, 200);
    namespaces.insert("shop".to_owned(), permits(Some("")));
    assert_eq!(world.ask(&token).await.0, 403, "the guard-rail is checked at each hit");
    assert_eq!(world.sts.calls(), 1);
}
