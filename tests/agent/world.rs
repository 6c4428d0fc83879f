//! One account, one agent, one pod, and a clock of their own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use jiff::{SignedDuration, Timestamp};
use podrole_agent::{
    Agent, AgentConfig, AgentOptions,
    clock::Clock,
    exchange::{sts::Endpoint, web_identity::WebIdentity},
    hosts::Hosts,
    http::{limits, router},
    http_client::HttpClients,
    keys::{JwksCache, KeySource, Keys},
    metrics::Metrics,
    node::{Liveness, PodFacts, PodMap},
    resolve::{ServiceAccountFacts, ServiceAccountMap},
    token::Rules,
};
use podrole_identity::{AnnotationPrefix, Exchange, ServiceAccountAnnotations};
use podrole_runtime::serve::{Limits, Server};
use podrole_sandbox::{Config, Issuer, NodeRef, PodRef, Sandbox, TokenRequest};
use podrole_tests::trust;
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

use crate::wire::Wire;

const ISSUER: &str = "https://issuer.example/id/shop";
const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const NODE: &str = "node-1";

pub(crate) struct World {
    pub(crate) sts: Wire,
    pub(crate) clock: Clock,
    pub(crate) pods: PodMap,
    pub(crate) issuer: Issuer,
    agent: Router,
    metrics: Metrics,
}

/// Credentials in a client's hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) key: String,
    pub(crate) expires: Timestamp,
}

impl World {
    /// A world whose STS gives sessions of AWS's usual hour.
    pub(crate) fn start() -> Self {
        Self::of(|config| config)
    }

    /// A world whose STS gives sessions of `life`.
    pub(crate) fn with_life(life: Duration) -> Self {
        Self::of(|config| config.with_credential_life(life))
    }

    fn of(change: impl FnOnce(Config) -> Config) -> Self {
        podrole_runtime::crypto::install();
        let (begun, at) = (Instant::now(), podrole_runtime::clock::now());
        let clock = Clock::new(move || at + begun.elapsed());
        let issuer = Issuer::generate(ISSUER).unwrap();
        let sandbox = Sandbox::new(change(config())).with_issuer(issuer.clone());
        let sts = Wire::to(sandbox.router(), clock.clone());
        let (metrics, pods) = (Metrics::default(), PodMap::default());
        let agent = Agent::new(agent_config(&issuer, &sts, &clock, &metrics, &pods));
        let world = Self { sts, clock, pods, issuer, agent: router(agent), metrics };
        world.run_pod("pod-uid", NODE);
        world
    }

    /// A pod runs on a node.
    pub(crate) fn run_pod(&self, uid: &str, node: &str) {
        let (uid, node) = (uid.to_owned(), Some(node.to_owned()));
        self.pods.insert(PodFacts { uid, node, ..PodFacts::default() });
    }

    /// The agent on a socket, with the limits that a daemon has but for these.
    pub(crate) async fn listen(&self, change: impl FnOnce(&mut Limits)) -> (SocketAddr, DropGuard) {
        let mut limits = limits(0);
        change(&mut limits);
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), limits).await.unwrap();
        let (address, end) = (server.address(), CancellationToken::new());
        tokio::spawn(server.run(self.agent.clone(), end.clone()));
        (address, end.drop_guard())
    }

    /// A token of the pod, made now, for so long.
    pub(crate) fn token(&self, seconds: u32) -> String {
        self.token_with(|wanted| wanted.expiration_seconds = seconds)
    }

    /// A token of the pod, made now, but for what is changed.
    pub(crate) fn token_with(&self, change: impl FnOnce(&mut TokenRequest)) -> String {
        let mut wanted = wanted();
        change(&mut wanted);
        self.issuer.mint(&wanted, self.clock.now()).unwrap()
    }

    /// What an SDK gets for the token.
    pub(crate) async fn ask(&self, token: &str) -> (u16, Value) {
        let request = Request::get("/v1/credentials").header("host", "127.0.0.1");
        let request = request.header("authorization", token).body(Body::empty()).unwrap();
        let answer = self.agent.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Credentials that are good now; any refusal fails the test.
    pub(crate) async fn served(&self, token: &str) -> Served {
        let (status, body) = self.ask(token).await;
        assert_eq!(status, 200, "at {}: {body}", self.clock.now());
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let expires: Timestamp = text("Expiration").parse().unwrap();
        assert!(expires > self.clock.now(), "they ended at {expires}: {}", self.clock.now());
        Served { key: text("AccessKeyId"), expires }
    }

    /// Lets so much time go by, as a client sees it: it asks every `pause` and is always served.
    /// Gives what it got, each session once.
    pub(crate) async fn pass(&self, whole: Duration, pause: Duration, token: &str) -> Vec<Served> {
        let end = self.clock.now() + whole;
        let mut seen: Vec<Served> = Vec::new();
        while self.clock.now() < end {
            let served = self.served(token).await;
            if seen.last() != Some(&served) {
                seen.push(served);
            }
            sleep(pause).await;
        }
        seen
    }

    /// The value of a counter on `/metrics`.
    pub(crate) fn counted(&self, line: &str) -> u64 {
        let (mut registry, mut text) = (Registry::default(), String::new());
        self.metrics.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        let found = text.lines().find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_default()
    }
}

/// What a kubelet would ask for the pod.
pub(crate) fn wanted() -> TokenRequest {
    let named = |name: &str, uid: &str| (name.to_owned(), uid.to_owned());
    let ((pod, pod_uid), (node, node_uid)) = (named("app-1", "pod-uid"), named(NODE, "node-uid"));
    TokenRequest {
        service_account: "shop/app".parse().unwrap(),
        service_account_uid: "sa-uid".to_owned(),
        audiences: vec![Exchange::WebIdentity.audience()],
        expiration_seconds: 3600,
        pod: Some(PodRef { name: pod, uid: pod_uid }),
        node: Some(NodeRef { name: node, uid: node_uid }),
    }
}

fn agent_config(
    issuer: &Issuer,
    sts: &Wire,
    clock: &Clock,
    metrics: &Metrics,
    pods: &PodMap,
) -> AgentConfig {
    let jwks = serde_json::to_vec(&issuer.jwks()).unwrap();
    let keys = Keys::read(&jwks, None, clock.now()).unwrap();
    let place = Endpoint { region: REGION.to_owned(), ..Endpoint::default() };
    let rules = Rules {
        issuers: vec![ISSUER.to_owned()],
        audiences: vec![Exchange::WebIdentity.audience()],
        own_audiences: false,
    };
    let options = AgentOptions::standalone(Exchange::WebIdentity, &rules);
    AgentConfig {
        keys: JwksCache::new(KeySource::Static(keys), clock.clone()),
        rules,
        service_accounts: Arc::new(accounts()),
        liveness: Liveness::on(Arc::new(pods.clone()), NODE),
        exchange: Arc::new(WebIdentity::at(&place, &HttpClients::through(sts.client()))),
        hosts: Hosts::bound_to(&["127.0.0.1".parse().unwrap()]),
        metrics: metrics.clone(),
        clock: clock.clone(),
        options,
    }
}

fn role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/shop-app")
}

fn accounts() -> ServiceAccountMap {
    let annotations = [("eks.amazonaws.com/role-arn".to_owned(), role())].into_iter().collect();
    let annotations = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
    let facts = ServiceAccountFacts { uid: "sa-uid".to_owned(), annotations, ..Default::default() };
    let known = ServiceAccountMap::default();
    known.insert("shop/app".parse().unwrap(), facts);
    known
}

fn config() -> Config {
    let trust = trust::web_identity(ISSUER, ACCOUNT, "system:serviceaccount:shop:app");
    let config = json!({"accounts": {ACCOUNT: {
        "oidcProviders": [{"url": ISSUER, "clientIds": ["sts.amazonaws.com"]}],
        "roles": {"shop-app": {"arn": role(), "trustPolicy": trust}},
    }}});
    // JSON is YAML.
    Config::read(&config.to_string()).unwrap()
}

pub(crate) const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

pub(crate) const fn life_of(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}
