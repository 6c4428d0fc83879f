//! The quick way serves what the long way would, and nothing else.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
};

use futures::future::{BoxFuture, FutureExt as _, ready};
use jiff::SignedDuration;
use podrole_identity::{AssociationList, Exchange as Kind, PermittedRoles};
use podrole_runtime::latest::Latest;
use serde_json::json;

use super::fixture::{ROLE, RSA, at, claims, credentials, keys, rules};
use crate::{
    Agent, Extras, Parts,
    clock::Clock,
    exchange::{Credentials, Exchange, ExchangeError, SessionRequest},
    http::Hosts,
    keys::{KeyRing, KeySource},
    limit::PodLimit,
    metrics::Metrics,
    node::{Liveness, PodFacts, PodMap},
    peer::{PeerCheck, VerifyPeer},
    resolve::{Cached, LookupMap, NamespaceFacts, ServiceAccountFacts},
    secret::Secret,
    token::Caller,
};

/// An AWS that gives an hour to everybody.
struct Gives(Clock);

impl Exchange for Gives {
    fn kind(&self) -> Kind {
        Kind::WebIdentity
    }

    fn place(&self) -> &str {
        "test"
    }

    fn exchange<'a>(
        &'a self,
        _: &'a SessionRequest,
        _: &'a Caller,
        _: &'a Secret,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        ready(Ok(credentials(self.0.now() + SignedDuration::from_hours(1)))).boxed()
    }
}

struct World {
    agent: Arc<Agent>,
    keys: KeyRing,
    pods: PodMap,
    accounts: LookupMap<podrole_identity::ServiceAccountRef, ServiceAccountFacts>,
    namespaces: LookupMap<String, NamespaceFacts>,
    associations: Latest<AssociationList>,
    seconds: Arc<AtomicI64>,
    token: String,
}

const PEER: &str = "10.1.2.3";

fn pod(change: impl FnOnce(&mut PodFacts)) -> PodFacts {
    let mut pod = PodFacts {
        uid: "pod-uid".to_owned(),
        node: Some("n1".to_owned()),
        addresses: vec![PEER.parse().unwrap()],
        ..PodFacts::default()
    };
    change(&mut pod);
    pod
}

fn guarded(permitted: Option<&str>) -> NamespaceFacts {
    NamespaceFacts { permitted: PermittedRoles::read(permitted), ..NamespaceFacts::default() }
}

impl World {
    fn start() -> Self {
        Self::with(50)
    }

    fn with(per_second: u32) -> Self {
        let seconds = Arc::<AtomicI64>::default();
        let ticks = Arc::clone(&seconds);
        let clock = Clock::new(move || at(ticks.load(SeqCst)));
        let keys = KeyRing::new(KeySource::Static(keys(&[&RSA])), clock.clone());
        let (pods, accounts, namespaces) =
            (PodMap::default(), LookupMap::default(), LookupMap::default());
        pods.insert(pod(|_| ()));
        let facts = ServiceAccountFacts { uid: "sa-uid".to_owned(), ..Default::default() };
        accounts.insert("shop/app".parse().unwrap(), facts);
        namespaces.insert("shop".to_owned(), guarded(None));
        let list = json!({"identities": [
            {"namespace": "shop", "serviceAccount": "app", "roleArn": ROLE},
        ]});
        let associations = Latest::from(AssociationList::read(&list.to_string()).unwrap());
        let session_name = "{serviceaccount.name}".parse().unwrap();
        let mut extras = Extras::plain(Kind::WebIdentity, &session_name, &rules());
        extras.associations = associations.clone();
        extras.namespaces = Arc::new(Cached::new(namespaces.clone(), clock.clone()));
        extras.limit = PodLimit::per_second(per_second);
        extras.peers = PeerCheck { mode: VerifyPeer::Warn, ..PeerCheck::default() };
        let parts = Parts {
            keys: keys.clone(),
            rules: rules(),
            service_accounts: Arc::new(Cached::new(accounts.clone(), clock.clone())),
            liveness: Liveness::on(Arc::new(pods.clone()), "n1"),
            exchange: Arc::new(Gives(clock.clone())),
            session_name,
            max_sessions: 10,
            hosts: Hosts::bound_to(&[]),
            metrics: Metrics::default(),
            clock,
        };
        let agent = Agent::with(parts, extras);
        let token = RSA.token("RS256", &claims());
        Self { agent, keys, pods, accounts, namespaces, associations, seconds, token }
    }

    fn peer() -> Option<IpAddr> {
        PEER.parse().ok()
    }

    /// The status on the long way.
    async fn ask(&self) -> u16 {
        let asked = self.agent.credentials(&self.token, Self::peer()).await;
        asked.map_or_else(|refusal| refusal.status(), |_| 200)
    }

    /// Whether there is an answer on the quick way.
    fn again(&self) -> bool {
        self.agent.again(self.token.as_bytes(), Self::peer()).is_some()
    }

    /// Asks until the quick way is open.
    async fn warm(&self) {
        assert!(!self.again(), "nobody was served yet");
        assert_eq!((self.ask().await, self.ask().await), (200, 200));
        assert!(self.again() && self.again());
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, SeqCst);
    }
}

#[tokio::test]
async fn both_ways_serve_the_same_to_the_same() {
    let world = World::start();
    world.warm().await;
    let long = world.agent.credentials(&world.token, World::peer()).await.unwrap();
    let quick = world.agent.again(world.token.as_bytes(), World::peer()).unwrap();
    assert_eq!(long, quick);
    let from = |peer: &str| world.agent.again(world.token.as_bytes(), peer.parse().ok());
    assert!(from("10.9.9.9").is_none(), "another peer is judged");
    let other = RSA.token("RS256", &{
        let mut claims = claims();
        claims["jti"] = "2".into();
        claims
    });
    assert!(world.agent.again(other.as_bytes(), World::peer()).is_none(), "another token");
    let mut broken = world.token.clone();
    broken.pop();
    assert!(world.agent.again(broken.as_bytes(), World::peer()).is_none());
}

#[tokio::test]
async fn an_association_that_goes_ends_it_at_once() {
    let world = World::start();
    world.warm().await;
    world.associations.set(AssociationList::default());
    assert!(!world.again());
    assert_eq!(world.ask().await, 404);
    assert!(!world.again());
}

#[tokio::test]
async fn a_service_account_that_goes_ends_it_within_5_s() {
    let world = World::start();
    world.warm().await;
    world.accounts.remove(&"shop/app".parse().unwrap());
    world.pass(4);
    assert!(!world.again());
    assert_eq!(world.ask().await, 404);
    assert!(!world.again());
}

#[tokio::test]
async fn a_guard_rail_that_changes_ends_it_within_5_s() {
    let world = World::start();
    world.warm().await;
    world.namespaces.insert("shop".to_owned(), guarded(Some("")));
    world.pass(4);
    assert!(!world.again());
    assert_eq!(world.ask().await, 403);
    world.namespaces.insert("shop".to_owned(), guarded(Some(ROLE)));
    world.pass(4);
    assert_eq!((world.ask().await, world.ask().await), (200, 200));
    assert!(world.again());
}

#[tokio::test]
async fn a_pod_that_ends_or_goes_ends_it_at_once() {
    let changes: [fn(&mut PodFacts); 2] = [|pod| pod.finished = true, |pod| pod.node = None];
    for change in changes {
        let world = World::start();
        world.warm().await;
        world.pods.insert(pod(change));
        assert!(!world.again());
        assert_eq!(world.ask().await, 403);
        assert!(!world.again());
    }
    let world = World::start();
    world.warm().await;
    world.agent.pod_gone("pod-uid");
    assert!(!world.again());
}

#[tokio::test]
async fn a_pod_that_is_going_and_a_stranger_take_the_long_way_each_time() {
    let changes: [fn(&mut PodFacts); 2] =
        [|pod| pod.gone_at = Some(at(30)), |pod| pod.addresses = vec!["10.9.9.9".parse().unwrap()]];
    for change in changes {
        let world = World::start();
        world.pods.insert(pod(change));
        assert_eq!((world.ask().await, world.ask().await), (200, 200));
        assert!(!world.again());
    }
}

#[tokio::test]
async fn a_key_that_is_withdrawn_and_a_token_that_ends_end_it_at_once() {
    let world = World::start();
    world.warm().await;
    world.keys.lose_a_key();
    assert!(!world.again());
    assert_eq!((world.ask().await, world.ask().await), (200, 200), "this one was not it");
    assert!(world.again());
    world.pass(3600 + 60);
    assert!(!world.again());
    assert_eq!(world.ask().await, 400);
}

#[tokio::test]
async fn what_is_due_to_be_refreshed_takes_the_long_way() {
    let world = World::start();
    world.warm().await;
    for _ in 0..10 {
        world.pass(174);
        // Until its refresh is due, what a look-up brings opens the quick way again.
        assert_eq!((world.ask().await, world.ask().await), (200, 200));
    }
    // The refresh has a task of its own.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let refreshed = world.agent.keep().ends(1)[0].1;
    assert!(refreshed > at(3600), "{refreshed}");
}

#[tokio::test]
async fn the_quick_way_is_no_way_round_the_limit() {
    let world = World::with(1);
    world.warm().await;
    assert!(!world.again());
    assert_eq!(world.ask().await, 503, "4 at once, and they are used up");
    world.pass(1);
    assert!(world.again());
}
