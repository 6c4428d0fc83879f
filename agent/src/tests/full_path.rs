//! From a request on a socket to an STS on another and back.

use std::{net::SocketAddr, sync::Arc};

use aws_config::ecs::EcsCredentialsProvider;
use aws_credential_types::provider::ProvideCredentials as _;
use podrole_identity::{AnnotationPrefix, ServiceAccountAnnotations};
use podrole_runtime::serve::{Limits, Server};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::{
    fixture::{ROLE, RSA, STRANGER, claims_from, keys, rules},
    sts::FakeSts,
};
use crate::{
    Agent, AgentConfig, AgentOptions,
    clock::Clock,
    exchange::{ExchangeClient, web_identity::WebIdentity},
    hosts::Hosts,
    http::CredentialsService,
    keys::{JwksCache, KeySource},
    metrics::Metrics,
    node::{Liveness, PodFacts, PodMap},
    resolve::{ServiceAccountFacts, ServiceAccountMap},
    token::Rules,
};

/// An agent on loopback with an STS behind it.
pub(crate) struct World {
    pub(crate) sts: FakeSts,
    pub(crate) address: SocketAddr,
    pub(crate) agent: Arc<Agent>,
    pods: PodMap,
    accounts: ServiceAccountMap,
}

pub(crate) async fn world() -> World {
    let exchange =
        |sts: &FakeSts| Arc::new(WebIdentity::new("eu-central-1", Some(sts.url()))) as Arc<_>;
    world_with(exchange, rules(), |_| ()).await
}

/// A world with this exchange, these rules and changed options.
pub(crate) async fn world_with(
    exchange: impl FnOnce(&FakeSts) -> Arc<dyn ExchangeClient>,
    rules: Rules,
    change: impl FnOnce(&mut AgentOptions),
) -> World {
    world_at(Clock::default(), exchange, rules, change).await
}

/// The same on a node with this clock.
pub(crate) async fn world_at(
    clock: Clock,
    exchange: impl FnOnce(&FakeSts) -> Arc<dyn ExchangeClient>,
    rules: Rules,
    change: impl FnOnce(&mut AgentOptions),
) -> World {
    podrole_runtime::crypto::install();
    let sts = FakeSts::start().await;
    let exchange = exchange(&sts);
    let mut options = AgentOptions::standalone(exchange.kind(), &rules);
    options.sessions.session_name = "{pod.namespace}.{serviceaccount.name}".parse().unwrap();
    change(&mut options);
    let limits = Limits { head_bytes: 32 * 1024, ..Limits::default() };
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let address = server.address();
    let (pods, accounts) = (PodMap::default(), ServiceAccountMap::default());
    let config = AgentConfig {
        keys: JwksCache::new(KeySource::Static(keys(&[&RSA])), clock.clone()),
        rules,
        service_accounts: Arc::new(accounts.clone()),
        liveness: Liveness::on(Arc::new(pods.clone()), "n1"),
        exchange,
        hosts: Hosts::bound_to(&[address.ip()]),
        metrics: Metrics::default(),
        clock,
        options,
    };
    let agent = Agent::new(config);
    tokio::spawn(server.run(CredentialsService::of(&agent), CancellationToken::new()));
    let world = World { sts, address, agent, pods, accounts };
    world.set_pod(false);
    world.set_role(ROLE);
    world
}

impl World {
    pub(crate) fn set_pod(&self, finished: bool) {
        self.pods.insert(PodFacts {
            uid: "pod-uid".to_owned(),
            finished,
            node: Some("n1".to_owned()),
            ..PodFacts::default()
        });
    }

    pub(crate) fn set_role(&self, role: &str) {
        let annotations = [("eks.amazonaws.com/role-arn".to_owned(), role.to_owned())];
        let annotations = annotations.into_iter().collect();
        let prefix = AnnotationPrefix::default();
        let facts = ServiceAccountFacts {
            uid: "sa-uid".to_owned(),
            annotations: ServiceAccountAnnotations::read(&annotations, &prefix),
            ..ServiceAccountFacts::default()
        };
        self.accounts.insert("shop/app".parse().unwrap(), facts);
    }

    pub(crate) fn claims(&self) -> Value {
        claims_from(podrole_runtime::clock::now().as_second())
    }

    pub(crate) fn token(&self) -> String {
        RSA.token("RS256", &self.claims())
    }

    pub(crate) async fn send(&self, head: &str) -> String {
        self.send_with(head, "").await
    }

    pub(crate) async fn send_with(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{head}connection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// The status and the body's JSON.
    pub(crate) async fn ask(&self, token: &str) -> (u16, Value) {
        let head = format!(
            "GET /v1/credentials HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n"
        );
        let answer = self.send(&head).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
    }
}

#[tokio::test]
async fn sts_is_called_with_the_pods_own_token_and_no_signature() {
    let world = world().await;
    let token = world.token();
    let (status, body) = world.ask(&token).await;
    assert_eq!((status, &body["AccountId"]), (200, &"111122223333".into()), "{body}");
    let seen = world.sts.seen().concat();
    for part in [
        "Action=AssumeRoleWithWebIdentity",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fapp",
        "RoleSessionName=shop.app",
        &format!("WebIdentityToken={token}"),
        "signed=false",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    assert!(!seen.contains("DurationSeconds"), "{seen}");
    let (status, again) = world.ask(&token).await;
    assert_eq!((status, again), (200, body));
    assert_eq!(world.sts.calls(), 1);
}

/// The SDK reads the environment, so it runs in a process of its own: this test program again, with
/// one test and two variables.
#[tokio::test]
async fn an_sdk_gets_its_credentials() {
    let world = world().await;
    let uri = format!("http://{}/v1/credentials", world.address);
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::full_path::in_the_child_the_sdk_finds_credentials",
            "--nocapture",
        ])
        .env(podrole_identity::variable::CONTAINER_FULL_URI, uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", world.token())
        .output();
    let output = child.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("found ASIAFROMSTS"), "{text}");
}

#[tokio::test]
async fn in_the_child_the_sdk_finds_credentials() {
    if std::env::var_os(podrole_identity::variable::CONTAINER_FULL_URI).is_none() {
        return;
    }
    podrole_runtime::crypto::install();
    let configuration = aws_config::provider_config::ProviderConfig::empty()
        .with_http_client(crate::http_client::HttpClients::default().sdk_client())
        .with_sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .with_time_source(aws_smithy_async::time::SystemTimeSource::new());
    let provider = EcsCredentialsProvider::builder().configure(&configuration);
    let got = provider.build().provide_credentials().await.unwrap();
    assert_eq!(got.secret_access_key(), "secret-from-sts");
    assert_eq!(got.session_token(), Some("session-from-sts"));
    let account = got.account_id().unwrap();
    assert_eq!(account.as_str(), "111122223333");
    assert!(got.expiry().is_some());
    println!("found {}", got.access_key_id());
}

#[tokio::test]
async fn each_refusal_has_its_status_and_code() {
    let world = world().await;
    let (status, body) = world.ask(&STRANGER.token("RS256", &world.claims())).await;
    assert_eq!((status, &body["code"]), (400, &"InvalidToken".into()), "{body}");
    let mut claims = world.claims();
    claims["aud"] = "vault".into();
    let (status, body) = world.ask(&RSA.token("RS256", &claims)).await;
    assert_eq!(status, 400, "{body}");
    assert!(body["message"].as_str().unwrap().contains("sts.amazonaws.com"), "{body}");
    world.set_role("");
    assert_eq!(world.ask(&world.token()).await.0, 404);
    world.set_role("my-role");
    assert_eq!(world.ask(&world.token()).await.0, 400);
    world.set_role(ROLE);
    world.set_pod(true);
    assert_eq!(world.ask(&world.token()).await.0, 403);
    assert_eq!(world.sts.calls(), 0, "none of these reached AWS");
}

#[tokio::test]
async fn a_pod_that_ends_is_no_longer_served_from_the_cache() {
    let world = world().await;
    let token = world.token();
    assert_eq!(world.ask(&token).await.0, 200);
    world.set_pod(true);
    assert_eq!(world.ask(&token).await.0, 403);
    world.set_pod(false);
    world.accounts.remove(&"shop/app".parse().unwrap());
    assert_eq!(world.ask(&token).await.0, 404);
}

#[tokio::test]
async fn each_error_of_sts_has_its_status_and_code() {
    for (status, code, answer, word) in [
        (403, "AccessDenied", 403, "AccessDenied"),
        (400, "InvalidIdentityToken", 400, "InvalidToken"),
        (400, "ValidationError", 400, "InvalidRequest"),
    ] {
        let world = world().await;
        world.sts.fails_with(status, code);
        let (status, body) = world.ask(&world.token()).await;
        assert_eq!((status, &body["code"]), (answer, &word.into()), "{body}");
        assert!(!body.to_string().contains("other"), "AWS's own words: {body}");
        assert_eq!(world.sts.calls(), 1);
    }
    let world = world().await;
    world.sts.fails_with(503, "ServiceUnavailable");
    let (status, body) = world.ask(&world.token()).await;
    assert_eq!((status, &body["code"]), (503, &"TryAgain".into()), "{body}");
}
