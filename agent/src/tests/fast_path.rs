//! The fast path serves what the slow path would, and nothing else.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
};

use axum::body::Bytes;
use futures::future::{BoxFuture, FutureExt as _, ready};
use jiff::SignedDuration;
use podrole_identity::{AssociationList, Exchange, PermittedRoles};
use podrole_runtime::latest::Latest;
use serde_json::json;

use super::fixture::{NOW, ROLE, RSA, at, claims, credentials, keys, rules};
use crate::{
    Agent, AgentConfig, AgentOptions,
    bearer_token::{BearerToken, PresentedToken, tests::bearer},
    clock::Clock,
    exchange::{Credentials, ExchangeClient, ExchangeError, SessionRequest},
    hosts::Hosts,
    keys::{JwksCache, KeySource},
    metrics::Metrics,
    node::{Liveness, PodFacts, PodMap},
    peer::{PeerCheck, VerifyPeer},
    resolve::{Cached, LookupMap, NamespaceFacts, ServiceAccountFacts, WatchSlots},
    token::Caller,
};

/// An AWS that gives every caller a session of an hour.
struct HourSessions(Clock);

impl ExchangeClient for HourSessions {
    fn kind(&self) -> Exchange {
        Exchange::WebIdentity
    }

    fn endpoint(&self) -> &str {
        "test"
    }

    fn exchange<'a>(
        &'a self,
        _: &'a SessionRequest,
        _: &'a Caller,
        _: &'a BearerToken,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        ready(Ok(credentials(self.0.now() + SignedDuration::from_hours(1)))).boxed()
    }
}

pub(super) struct Setup {
    pub(super) agent: Arc<Agent>,
    keys: JwksCache,
    pub(super) pods: PodMap,
    accounts: LookupMap<podrole_identity::ServiceAccountRef, ServiceAccountFacts>,
    namespaces: LookupMap<String, NamespaceFacts>,
    associations: Latest<AssociationList>,
    seconds: Arc<AtomicI64>,
    steady_seconds: Arc<AtomicI64>,
    pub(super) token: String,
}

const PEER: &str = "10.1.2.3";

pub(super) fn pod(change: impl FnOnce(&mut PodFacts)) -> PodFacts {
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

impl Setup {
    fn start() -> Self {
        Self::changed(|_| ())
    }

    pub(super) fn changed(change: impl FnOnce(&mut AgentOptions)) -> Self {
        let seconds = Arc::<AtomicI64>::default();
        let steady_seconds = Arc::<AtomicI64>::default();
        let ticks = [Arc::clone(&seconds), Arc::clone(&steady_seconds)];
        let [wall, steady] = ticks.map(|ticks| move || at(ticks.load(SeqCst)));
        let clock = Clock::of(wall, steady);
        let keys = JwksCache::new(KeySource::Static(keys(&[&RSA])), clock.clone());
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
        let mut options = AgentOptions::standalone(Exchange::WebIdentity, &rules());
        options.sessions.session_name = "{serviceaccount.name}".parse().unwrap();
        options.list = associations.clone();
        options.namespaces =
            Arc::new(Cached::new(namespaces.clone(), clock.clone(), WatchSlots::default()));
        options.peers = PeerCheck { mode: VerifyPeer::Warn, ..PeerCheck::default() };
        change(&mut options);
        let config = AgentConfig {
            keys: keys.clone(),
            rules: rules(),
            service_accounts: Arc::new(Cached::new(
                accounts.clone(),
                clock.clone(),
                WatchSlots::default(),
            )),
            liveness: Liveness::on(Arc::new(pods.clone()), "n1"),
            exchange: Arc::new(HourSessions(clock.clone())),
            hosts: Hosts::bound_to(&[]),
            metrics: Metrics::default(),
            clock,
            options,
        };
        let agent = Agent::new(config);
        let token = RSA.token("RS256", &claims());
        Self {
            agent,
            keys,
            pods,
            accounts,
            namespaces,
            associations,
            seconds,
            steady_seconds,
            token,
        }
    }

    fn client() -> Option<SocketAddr> {
        Self::peer().map(|peer| SocketAddr::new(peer, 40_000))
    }

    fn peer() -> Option<IpAddr> {
        PEER.parse().ok()
    }

    /// The status on the slow path.
    async fn ask(&self) -> u16 {
        let asked = self.agent.credentials(&bearer(&self.token), Self::client()).await;
        asked.map_or_else(|refusal| refusal.status(), |_| 200)
    }

    /// Whether the fast path answers.
    fn is_fast(&self) -> bool {
        self.cached(&self.token, Self::peer()).is_some()
    }

    /// The answer of the fast path.
    pub(super) fn cached(&self, token: &str, peer: Option<IpAddr>) -> Option<Bytes> {
        self.agent.cached_answer(&PresentedToken::read(token.as_bytes()).unwrap(), peer)
    }

    /// Asks until the fast path answers.
    async fn warm(&self) {
        assert!(!self.is_fast(), "nothing was served yet");
        assert_eq!((self.ask().await, self.ask().await), (200, 200));
        assert!(self.is_fast() && self.is_fast());
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, SeqCst);
        self.steady_seconds.fetch_add(seconds, SeqCst);
    }
}

#[tokio::test]
async fn both_paths_serve_the_same_answer() {
    let setup = Setup::start();
    setup.warm().await;
    let slow = setup.agent.credentials(&bearer(&setup.token), Setup::client()).await.unwrap();
    assert_eq!(setup.cached(&setup.token, Setup::peer()), Some(slow));
    let from = |peer: &str| setup.cached(&setup.token, peer.parse().ok());
    assert!(from("10.9.9.9").is_none(), "another address is checked");
    let other = RSA.token("RS256", &{
        let mut claims = claims();
        claims["jti"] = "2".into();
        claims
    });
    assert!(setup.cached(&other, Setup::peer()).is_none(), "another token");
    let mut broken = setup.token.clone();
    broken.pop();
    assert!(setup.cached(&broken, Setup::peer()).is_none());
}

#[tokio::test]
async fn a_removed_association_ends_it_at_once() {
    let setup = Setup::start();
    setup.warm().await;
    setup.associations.set(AssociationList::default());
    assert!(!setup.is_fast());
    assert_eq!(setup.ask().await, 404);
    assert!(!setup.is_fast());
}

#[tokio::test]
async fn a_deleted_service_account_ends_it_within_5_s() {
    let setup = Setup::start();
    setup.warm().await;
    setup.accounts.remove(&"shop/app".parse().unwrap());
    setup.pass(4);
    assert!(!setup.is_fast());
    assert_eq!(setup.ask().await, 404);
    assert!(!setup.is_fast());
}

#[tokio::test]
async fn a_service_account_that_was_just_created_again_is_looked_up_for_its_new_pods() {
    let setup = Setup::start();
    let name = "shop/app".parse().unwrap();
    setup.accounts.remove(&name);
    assert_eq!(setup.ask().await, 404);
    let facts = ServiceAccountFacts { uid: "sa-uid".to_owned(), ..Default::default() };
    setup.accounts.insert(name, facts);
    setup.pass(1);
    assert_eq!(setup.ask().await, 200, "its absence was known for 4 s");
}

#[tokio::test]
async fn a_changed_guard_rail_ends_it_within_5_s() {
    let setup = Setup::start();
    setup.warm().await;
    setup.namespaces.insert("shop".to_owned(), guarded(Some("")));
    setup.pass(4);
    assert!(!setup.is_fast());
    assert_eq!(setup.ask().await, 403);
    setup.namespaces.insert("shop".to_owned(), guarded(Some(ROLE)));
    setup.pass(4);
    assert_eq!((setup.ask().await, setup.ask().await), (200, 200));
    assert!(setup.is_fast());
}

#[tokio::test]
async fn a_pod_that_ends_or_is_deleted_ends_it_at_once() {
    let changes: [fn(&mut PodFacts); 2] = [|pod| pod.finished = true, |pod| pod.node = None];
    for change in changes {
        let setup = Setup::start();
        setup.warm().await;
        setup.pods.insert(pod(change));
        assert!(!setup.is_fast());
        assert_eq!(setup.ask().await, 403);
        assert!(!setup.is_fast());
    }
    let setup = Setup::start();
    setup.warm().await;
    setup.agent.pod_gone("pod-uid");
    assert!(!setup.is_fast());
}

#[tokio::test]
async fn a_terminating_pod_and_a_foreign_peer_always_take_the_slow_path() {
    let changes: [fn(&mut PodFacts); 2] =
        [|pod| pod.gone_at = Some(at(30)), |pod| pod.addresses = vec!["10.9.9.9".parse().unwrap()]];
    for change in changes {
        let setup = Setup::start();
        setup.pods.insert(pod(change));
        assert_eq!((setup.ask().await, setup.ask().await), (200, 200));
        assert!(!setup.is_fast());
    }
}

#[tokio::test]
async fn a_withdrawn_key_and_an_expired_token_end_it_at_once() {
    let setup = Setup::start();
    setup.warm().await;
    setup.keys.withdraw_a_key();
    assert!(!setup.is_fast());
    assert_eq!(
        (setup.ask().await, setup.ask().await),
        (200, 200),
        "the withdrawn key was another one"
    );
    assert!(setup.is_fast());
    setup.pass(3600 + 60);
    assert!(!setup.is_fast());
    assert_eq!(setup.ask().await, 400);
}

#[tokio::test]
async fn an_expired_token_and_a_stale_look_up_each_end_it() {
    let mut setup = Setup::start();
    // It ends before its session must be refreshed.
    let mut claims = claims();
    claims["exp"] = (NOW + 600).into();
    setup.token = RSA.token("RS256", &claims);
    setup.warm().await;
    setup.seconds.fetch_add(600 + 60, SeqCst);
    assert!(!setup.is_fast(), "the token expired");
    setup.seconds.fetch_sub(1, SeqCst);
    assert!(setup.is_fast());
    setup.steady_seconds.fetch_add(4, SeqCst);
    assert!(!setup.is_fast(), "the ServiceAccount must be looked up again");
}

#[tokio::test]
async fn credentials_due_for_a_refresh_take_the_slow_path() {
    let setup = Setup::start();
    setup.warm().await;
    for _ in 0..10 {
        setup.pass(174);
        // Until the refresh is due, a new lookup enables the fast path again.
        assert_eq!((setup.ask().await, setup.ask().await), (200, 200));
    }
    // The refresh runs in a task of its own.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let refreshed = setup.agent.cache().expiries(1)[0].1;
    assert!(refreshed > at(3600), "{refreshed}");
}

#[tokio::test]
async fn no_number_of_requests_with_a_valid_token_is_too_many() {
    let setup = Setup::start();
    for _ in 0..1000 {
        assert_eq!(setup.ask().await, 200);
    }
    assert!((0..1000).all(|_| setup.is_fast()));
}
