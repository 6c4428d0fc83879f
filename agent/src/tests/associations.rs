//! What changes of associations, patterns, guard-rails and times do to the next request.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
};

use futures::future::{BoxFuture, FutureExt as _, ready};
use jiff::SignedDuration;
use podrole_identity::{
    Association, Exchange, Guardrails, InjectionDefault, Labels, Patterns, RawObject,
};
use podrole_runtime::latest::Latest;
use serde_json::{Value, json};

use super::fixture::{RSA, at, claims, credentials, keys, rules};
use crate::{
    Agent, AgentConfig, AgentOptions,
    bearer_token::{BearerToken, PresentedToken, tests::bearer},
    clock::Clock,
    exchange::{Credentials, ErrorKind, ExchangeClient, ExchangeError, SessionRequest},
    hosts::Hosts,
    keys::{JwksCache, KeySource},
    metrics::Metrics,
    node::{AddressHolder, Liveness, PodFacts, PodMap, Pods},
    refusal::Refusal,
    resolve::{
        AssociationFacts, AssociationMap, Cached, LookupError, LookupMap, NamespaceFacts,
        ServiceAccountFacts, ServiceAccountMap, WatchSlots,
    },
    token::Caller,
};

/// An AWS that remembers which roles it was asked for, and may be away.
struct FakeAws {
    clock: Clock,
    away: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    during: During,
}

/// What happens during the next call.
type During = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

impl ExchangeClient for FakeAws {
    fn kind(&self) -> Exchange {
        Exchange::AssumeRole
    }

    fn endpoint(&self) -> &str {
        "test"
    }

    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        _: &'a Caller,
        _: &'a BearerToken,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        if let Some(during) = self.during.lock().unwrap().take() {
            during();
        }
        if self.away.load(SeqCst) {
            let error = ExchangeError::new(ErrorKind::Transient, "away", "away");
            return ready(Err(error)).boxed();
        }
        let role = session.steps.last().unwrap().role.clone();
        self.asked.lock().unwrap().push(role.name().to_owned());
        let issued = credentials(self.clock.now() + SignedDuration::from_hours(1));
        ready(Ok(Credentials { role, ..issued })).boxed()
    }
}

/// Pods of which one may be new.
#[derive(Clone, Default)]
struct PodsOfTwoAges(PodMap, Arc<AtomicBool>);

impl Pods for PodsOfTwoAges {
    fn find<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<PodFacts>, LookupError>> {
        self.0.find(caller)
    }

    fn changes(&self) -> Option<u64> {
        self.0.changes()
    }

    fn holder(&self, address: std::net::IpAddr) -> AddressHolder {
        self.0.holder(address)
    }

    fn is_new(&self, _: &str) -> bool {
        self.1.load(SeqCst)
    }
}

pub(super) struct World {
    pub(super) agent: Arc<Agent>,
    pub(super) pods: PodMap,
    pub(super) during: During,
    associations: AssociationMap,
    namespaces: LookupMap<String, NamespaceFacts>,
    patterns: Latest<Patterns>,
    guardrails: Latest<Guardrails>,
    away: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    new_pod: Arc<AtomicBool>,
    seconds: Arc<AtomicI64>,
    versions: AtomicI64,
    token: String,
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

impl World {
    pub(super) fn start() -> Self {
        let seconds = Arc::<AtomicI64>::default();
        let ticks = Arc::clone(&seconds);
        let clock = Clock::new(move || at(ticks.load(SeqCst)));
        let (pods, accounts) = (PodsOfTwoAges::default(), ServiceAccountMap::default());
        let (associations, namespaces) = (AssociationMap::default(), LookupMap::default());
        let uid = "pod-uid".to_owned();
        pods.0.insert(PodFacts { uid, node: Some("n1".to_owned()), ..PodFacts::default() });
        let facts = ServiceAccountFacts { uid: "sa-uid".to_owned(), ..Default::default() };
        accounts.insert("shop/app".parse().unwrap(), facts);
        namespaces.insert("shop".to_owned(), NamespaceFacts::default());
        let mut options = AgentOptions::standalone(Exchange::AssumeRole, &rules());
        let slots = WatchSlots::default();
        let cached = Cached::new(associations.clone(), clock.clone(), slots.clone());
        options.associations = Some(Arc::new(cached));
        options.sessions.association_objects = true;
        options.namespaces =
            Arc::new(Cached::new(namespaces.clone(), clock.clone(), slots.clone()));
        options.hold = std::time::Duration::ZERO;
        let (patterns, guardrails) = (options.patterns.clone(), options.guardrails.clone());
        let (away, asked) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<String>>>::default());
        let during = During::default();
        let exchange = FakeAws {
            clock: clock.clone(),
            away: Arc::clone(&away),
            asked: Arc::clone(&asked),
            during: Arc::clone(&during),
        };
        let (pod_map, new_pod) = (pods.0.clone(), Arc::clone(&pods.1));
        let agent = Agent::new(AgentConfig {
            keys: JwksCache::new(KeySource::Static(keys(&[&RSA])), clock.clone()),
            rules: rules(),
            service_accounts: Arc::new(Cached::new(accounts, clock.clone(), slots)),
            liveness: Liveness::on(Arc::new(pods), "n1"),
            exchange: Arc::new(exchange),
            hosts: Hosts::bound_to(&[]),
            metrics: Metrics::default(),
            clock,
            options,
        });
        let token = RSA.token("RS256", &claims());
        let versions = AtomicI64::new(0);
        Self {
            agent,
            pods: pod_map,
            during,
            associations,
            namespaces,
            patterns,
            guardrails,
            away,
            asked,
            new_pod,
            seconds,
            versions,
            token,
        }
    }

    /// Creates or changes the association of shop/app.
    pub(super) fn associate(&self, name: &str, more: &Value) {
        let mut spec = json!({"namespace": "shop", "serviceAccount": "app", "roleARN": role(name)});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let association = Association::read_object("shop.app", &spec);
        let version = self.versions.fetch_add(1, SeqCst).to_string();
        let facts = AssociationFacts { association, version, changed: None };
        self.associations.insert("shop/app".parse().unwrap(), facts);
    }

    /// Whether a request some seconds later gets credentials, or the status.
    pub(super) async fn ask_after(&self, seconds: i64) -> Result<(), u16> {
        self.seconds.fetch_add(seconds, SeqCst);
        let presented = PresentedToken::read(self.token.as_bytes()).unwrap();
        if let Some(body) = self.agent.cached_answer(&presented, None) {
            return served(&body);
        }
        match self.agent.credentials(&bearer(&self.token), None).await {
            Ok(body) => served(&body),
            Err(refusal) => Err(refusal.status()),
        }
    }

    async fn refusal(&self) -> Refusal {
        self.agent.credentials(&bearer(&self.token), None).await.unwrap_err()
    }

    fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// An answer must be credentials; of which role, [`World::asked`] shows.
fn served(body: &[u8]) -> Result<(), u16> {
    let body: Value = serde_json::from_slice(body).unwrap();
    assert!(body["AccessKeyId"].is_string(), "{body}");
    Ok(())
}

#[tokio::test]
async fn an_association_is_used_changed_and_ended_without_a_restart() {
    let world = World::start();
    assert_eq!(world.ask_after(0).await, Err(404), "no source");
    world.associate("one", &json!({}));
    assert!(world.ask_after(5).await.is_ok());
    assert_eq!(*world.asked.lock().unwrap(), ["one"]);
    world.associate("two", &json!({}));
    assert!(world.ask_after(5).await.is_ok());
    assert_eq!(*world.asked.lock().unwrap(), ["one", "two"]);
    assert_eq!(world.agent.cache().len(), 1, "no pod has the old session any more");
    world.associations.remove(&"shop/app".parse().unwrap());
    assert_eq!(world.ask_after(5).await, Err(404));
    assert_eq!(world.agent.cache().len(), 0);
    let sentence = world.refusal().await.to_string();
    assert!(sentence.contains("PodIdentityAssociation named shop.app"), "{sentence}");
}

#[tokio::test]
async fn patterns_and_guard_rails_take_effect_with_the_next_request() {
    let world = World::start();
    let pattern = json!({"namespaces": ["sh*"], "roleARN": role("{namespace}.{serviceAccount}")});
    let raw = |spec| [RawObject { name: "p", created: None, spec }];
    world.patterns.set(Patterns::read(raw(&pattern)));
    assert!(world.ask_after(0).await.is_ok());
    assert_eq!(*world.asked.lock().unwrap(), ["shop.app"]);
    let other = json!({"namespaces": ["shop"], "permittedRoles": [role("other")]});
    world.guardrails.set(Guardrails::read(raw(&other)));
    assert_eq!(world.ask_after(0).await, Err(403), "at once, by the watch's count");
    let same = json!({"namespaces": ["shop"], "permittedRoles": [role("shop.*")]});
    world.guardrails.set(Guardrails::read(raw(&same)));
    assert!(world.ask_after(0).await.is_ok());
    world.patterns.set(Patterns::default());
    assert_eq!(world.ask_after(0).await, Err(404));
}

#[tokio::test]
async fn a_guard_rail_that_selects_by_label_follows_the_namespaces_labels() {
    let world = World::start();
    world.associate("one", &json!({}));
    let spec = json!({"namespaceSelector": {"matchLabels": {"zone": "a"}}, "permittedRoles": []});
    world.guardrails.set(Guardrails::read([RawObject { name: "g", created: None, spec: &spec }]));
    assert!(world.ask_after(0).await.is_ok());
    let labels: Labels = [("zone".to_owned(), "a".to_owned())].into();
    let facts = NamespaceFacts::read(labels, &Default::default(), InjectionDefault::default());
    world.namespaces.insert("shop".to_owned(), facts);
    assert_eq!(world.ask_after(5).await, Err(403));
}

#[tokio::test]
async fn a_session_from_before_the_time_is_not_served_even_if_sts_is_away() {
    let world = World::start();
    world.associate("one", &json!({}));
    assert!(world.ask_after(0).await.is_ok());
    world.associate("one", &json!({"notBefore": at(3).to_string()}));
    assert!(world.ask_after(5).await.is_ok());
    assert_eq!(world.calls(), 2, "fetched anew");
    assert!(world.ask_after(5).await.is_ok());
    assert_eq!(world.calls(), 2, "once");
    assert_eq!(world.agent.cache().len(), 1);
    world.associate("one", &json!({"notBefore": at(11).to_string()}));
    world.away.store(true, SeqCst);
    assert_eq!(world.ask_after(5).await, Err(503), "revocation is stronger than an outage");
}

#[tokio::test]
async fn a_time_in_the_future_takes_effect_when_it_comes() {
    let world = World::start();
    world.associate("one", &json!({"notBefore": at(30).to_string()}));
    for (second, calls) in [(0, 1), (29, 1), (30, 2), (31, 2)] {
        let now = world.seconds.load(SeqCst);
        assert!(world.ask_after(second - now).await.is_ok());
        assert_eq!(world.calls(), calls, "at {second} s");
    }
    let annotations = [("podrole.io/not-before".to_owned(), at(33).to_string())].into();
    let facts = NamespaceFacts::read(Labels::new(), &annotations, InjectionDefault::default());
    world.namespaces.insert("shop".to_owned(), facts);
    assert!(world.ask_after(5).await.is_ok());
    assert_eq!(world.calls(), 3, "the namespace's time counts too");
}

#[tokio::test]
async fn a_pod_that_has_just_started_is_asked_to_retry() {
    let world = World::start();
    world.new_pod.store(true, SeqCst);
    assert_eq!(world.ask_after(0).await, Err(503));
    let sentence = world.refusal().await.to_string();
    assert!(sentence.contains("shop.app"), "it says what is missing: {sentence}");
    world.associate("one", &json!({}));
    assert!(world.ask_after(5).await.is_ok());
    world.associations.remove(&"shop/app".parse().unwrap());
    world.new_pod.store(false, SeqCst);
    assert_eq!(world.ask_after(5).await, Err(404));
}

#[tokio::test]
async fn an_association_with_an_unknown_field_is_answered_with_503() {
    let world = World::start();
    world.associate("one", &json!({"onlyOnTuesdays": true}));
    assert_eq!(world.ask_after(0).await, Err(503));
    let sentence = world.refusal().await.to_string();
    assert!(sentence.contains("onlyOnTuesdays") && sentence.contains("upgrade"), "{sentence}");
}

#[tokio::test]
async fn a_tokens_wrong_audience_does_not_end_the_pods_session() {
    let world = World::start();
    world.associate("one", &json!({}));
    assert!(world.ask_after(0).await.is_ok());
    let mut other = claims();
    other["aud"] = json!(["sts.amazonaws.com", "vault.example.org"]);
    let other = RSA.token("RS256", &other);
    assert!(world.agent.credentials(&bearer(&other), None).await.is_ok());
    assert_eq!(world.agent.cache().len(), 2, "a list of audiences has a session of its own");
    for number in 0..20 {
        let mut many = claims();
        many["aud"] = json!(["sts.amazonaws.com", format!("x{number}")]);
        let many = RSA.token("RS256", &many);
        assert!(world.agent.credentials(&bearer(&many), None).await.is_ok());
    }
    assert!(world.agent.cache().len() <= 8, "{}", world.agent.cache().len());
}
