use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use podrole_identity::PermittedRoles;
use podrole_runtime::serve::{Limits, Server};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    resolve::{LookupMap, NamespaceFacts},
    tests::{
        fixture::RSA,
        full_path::{World, world_with},
        source_credentials::{endpoint, own, pod_identity_rules},
    },
};

/// A scripted EKS Auth.
#[derive(Clone, Default)]
struct Eks(Arc<Mutex<EksScript>>);

#[derive(Default)]
struct EksScript {
    error: Option<(u16, &'static str)>,
    seen: Vec<(String, String)>,
    service_account: Option<&'static str>,
}

async fn answer(
    State(eks): State<Eks>,
    headers: HeaderMap,
    body: String,
) -> (axum::http::StatusCode, String) {
    let mut script = eks.0.lock().unwrap();
    let signed = headers["authorization"].to_str().unwrap().to_owned();
    script.seen.push((signed, body));
    if let Some((status, code)) = script.error {
        let body = json!({"__type": code, "message": "says arn:aws:iam::999:user/other"});
        return (status.try_into().unwrap(), body.to_string());
    }
    let expires = podrole_runtime::clock::now().as_second() + 21_600;
    let account = script.service_account.unwrap_or("app");
    let body = json!({
        "subject": {"namespace": "shop", "serviceAccount": account},
        "audience": "pods.eks.amazonaws.com",
        "podIdentityAssociation": {"associationId": "a-1"},
        "assumedRoleUser": {"arn": "arn:aws:sts::111122223333:assumed-role/app/eks-shop-app"},
        "credentials": {"accessKeyId": "ASIAEKS", "secretAccessKey": "s", "sessionToken": "t",
            "expiration": expires},
    });
    (axum::http::StatusCode::OK, body.to_string())
}

impl Eks {
    async fn start(&self) -> String {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).await.unwrap();
        let url = format!("http://{}", server.address());
        let path = "/clusters/shop-1/assume-role-for-pod-identity";
        let router = Router::new().route(path, post(answer)).with_state(self.clone());
        tokio::spawn(server.run(router, CancellationToken::new()));
        url
    }

    fn set(&self, change: impl FnOnce(&mut EksScript)) {
        change(&mut self.0.lock().unwrap());
    }

    fn calls(&self) -> usize {
        self.0.lock().unwrap().seen.len()
    }
}

type Guards = LookupMap<String, NamespaceFacts>;

async fn world() -> (World, Eks, Guards) {
    podrole_runtime::crypto::install();
    let (eks, (own, _), guards) = (Eks::default(), own(), Guards::default());
    guards.insert("shop".to_owned(), NamespaceFacts::default());
    let endpoint = endpoint(&eks.start().await);
    let exchange = EksAuth::at(&endpoint, "shop-1", &HttpClients::default(), own);
    let known = guards.clone();
    let world = world_with(
        |_| Arc::new(exchange),
        pod_identity_rules(),
        |options| {
            options.namespaces = Arc::new(known);
            // Each request is one attempt.
            options.hold = std::time::Duration::ZERO;
        },
    );
    (world.await, eks, guards)
}

fn token(world: &World) -> String {
    let mut claims = world.claims();
    claims["aud"] = json!(["pods.eks.amazonaws.com"]);
    RSA.token("RS256", &claims)
}

async fn ask(world: &World) -> (u16, Value) {
    world.ask(&token(world)).await
}

#[tokio::test]
async fn eks_auth_gets_the_token_in_a_request_that_the_node_signs() {
    let (world, eks, _) = world().await;
    let token = token(&world);
    let (status, body) = world.ask(&token).await;
    assert_eq!((status, &body["AccessKeyId"]), (200, &"ASIAEKS".into()), "{body}");
    assert_eq!(body["AccountId"], "111122223333");
    assert_eq!(world.ask(&token).await.0, 200);
    assert_eq!(eks.calls(), 1);
    let (signed, question) = eks.0.lock().unwrap().seen[0].clone();
    assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIAOFTHENODE/"), "{signed}");
    assert!(signed.contains("/eu-central-1/eks-auth/aws4_request"), "{signed}");
    assert_eq!(serde_json::from_str::<Value>(&question).unwrap(), json!({"token": token}));
}

#[tokio::test]
async fn each_error_of_eks_auth_has_its_status() {
    for (status, code, answer, calls) in [
        (404, "ResourceNotFoundException", 404, 1),
        (400, "AccessDeniedException", 403, 1),
        (400, "InvalidTokenException", 400, 1),
        (429, "ThrottlingException", 503, 3),
        (500, "InternalServerException", 503, 3),
        (403, "UnrecognizedClientException", 503, 1),
    ] {
        let (world, eks, _) = world().await;
        eks.set(|script| script.error = Some((status, code)));
        let (got, body) = ask(&world).await;
        assert_eq!((got, eks.calls()), (answer, calls), "{code} {body}");
        assert!(!body.to_string().contains("other"), "AWS's own words: {body}");
    }
}

#[tokio::test]
async fn credentials_for_another_service_account_are_answered_with_503() {
    let (world, eks, _) = world().await;
    eks.set(|script| script.service_account = Some("other"));
    let (status, body) = ask(&world).await;
    assert_eq!(status, 503, "{body}");
}

#[tokio::test]
async fn the_role_that_eks_chooses_is_checked_against_the_guard_rail() {
    let (world, _, guards) = world().await;
    let set = |value: &str| {
        let permitted = PermittedRoles::read(Some(value));
        guards.insert("shop".to_owned(), NamespaceFacts { permitted, ..NamespaceFacts::default() });
    };
    set("arn:aws:iam::111122223333:role/other");
    let (status, body) = ask(&world).await;
    assert_eq!((status, &body["code"]), (403, &"RoleNotPermitted".into()), "{body}");
    set("arn:aws:iam::111122223333:role/app");
    assert_eq!(ask(&world).await.0, 200);
}
