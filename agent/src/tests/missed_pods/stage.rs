//! An agent that hears of pods by a channel, with look-ups that are recorded.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt as _, ready};
use jiff::SignedDuration;
use podrole_identity::{
    AnnotationPrefix, Exchange, Injection, LabelTimes, MissedReason, ServiceAccountAnnotations,
    ServiceAccountRef,
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    Agent, AgentConfig, AgentOptions,
    clock::Clock,
    events::{Notice, Notices},
    exchange::web_identity::WebIdentity,
    hosts::Hosts,
    keys::{JwksCache, KeySource, Keys},
    metrics::Metrics,
    node::{AddedPod, Liveness, PodChange, PodMap},
    resolve::{
        AssociationFacts, Lookup, LookupError, LookupMap, LookupResult, NamespaceFacts,
        ServiceAccountFacts,
    },
    tests::{
        fixture::{ROLE, at, rules},
        pod_added::{pod, uninjected},
    },
};

/// Answers from a map and records when it was asked; fails while `away`.
struct Recorded<K, V> {
    known: LookupMap<K, V>,
    log: Arc<Log>,
}

#[derive(Default)]
pub(super) struct Log {
    asked: Mutex<Vec<Instant>>,
    away: AtomicBool,
}

impl<K, V> Lookup<K, V> for Recorded<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn find<'a>(&'a self, name: &'a K) -> BoxFuture<'a, LookupResult<V>> {
        self.log.asked.lock().unwrap().push(Instant::now());
        if self.log.away.load(SeqCst) {
            return ready(Err(LookupError::Unreachable("away".to_owned()))).boxed();
        }
        self.known.find(name)
    }
}

/// An agent that hears of pods by a channel. Its clock is 0 s at the start, and follows tokio's.
pub(super) struct Stage {
    pub(super) agent: Arc<Agent>,
    pods: mpsc::UnboundedSender<PodChange>,
    pub(super) notices: mpsc::Receiver<Notice>,
    accounts: LookupMap<ServiceAccountRef, ServiceAccountFacts>,
    pub(super) associations: LookupMap<ServiceAccountRef, AssociationFacts>,
    pub(super) namespaces: LookupMap<String, NamespaceFacts>,
    log: Arc<Log>,
}

impl Stage {
    pub(super) fn start() -> Self {
        Self::with(0, |_| ())
    }

    /// On a node whose clock is wrong by some seconds.
    pub(super) fn with(wrong: i64, change: impl FnOnce(&mut AgentOptions)) -> Self {
        podrole_runtime::crypto::install();
        let begun = Instant::now();
        let clock = Clock::new(move || {
            at(wrong) + SignedDuration::try_from(begun.elapsed()).unwrap_or_default()
        });
        let (accounts, associations) = (LookupMap::default(), LookupMap::default());
        let (namespaces, log) = (LookupMap::default(), Arc::<Log>::default());
        let mut options = AgentOptions::standalone(Exchange::WebIdentity, &rules());
        let known = Recorded { known: namespaces.clone(), log: Arc::clone(&log) };
        options.namespaces = Arc::new(known);
        let known = Recorded { known: associations.clone(), log: Arc::clone(&log) };
        options.associations = Some(Arc::new(known));
        let (sender, notices) = Notices::new();
        options.notices = Some(sender);
        change(&mut options);
        let agent = Agent::new(AgentConfig {
            keys: JwksCache::new(KeySource::Static(Keys::default()), clock.clone()),
            rules: rules(),
            service_accounts: Arc::new(Recorded { known: accounts.clone(), log: Arc::clone(&log) }),
            liveness: Liveness::on(Arc::new(PodMap::default()), "n1"),
            exchange: Arc::new(WebIdentity::new("eu-central-1", None)),
            hosts: Hosts::bound_to(&[]),
            metrics: Metrics::default(),
            clock,
            options,
        });
        let (pods, changes) = mpsc::unbounded_channel();
        let follower = Arc::clone(&agent);
        tokio::spawn(async move { follower.prefetch_all(changes).await });
        let stage = Self { agent, pods, notices, accounts, associations, namespaces, log };
        stage.label(Some(-1000));
        stage.role("app", None);
        stage
    }

    /// Sets the namespace's label at this second, or removes it.
    pub(super) fn label(&self, changed: Option<i64>) {
        let facts = NamespaceFacts {
            injection: changed.map(|_| Injection::Enabled),
            labelled: LabelTimes { injection: changed.map(at), credentials: changed.map(at) },
            ..NamespaceFacts::default()
        };
        self.namespaces.insert("shop".to_owned(), facts);
    }

    /// Gives a ServiceAccount its role at this second, or takes it.
    pub(super) fn role(&self, name: &str, changed: Option<i64>) {
        self.role_of(name, changed.is_some(), changed);
    }

    /// The same with a time that may not be known.
    pub(super) fn role_of(&self, name: &str, has_role: bool, changed: Option<i64>) {
        let role = has_role.then(|| ("eks.amazonaws.com/role-arn".to_owned(), ROLE.to_owned()));
        let prefix = AnnotationPrefix::default();
        let facts = ServiceAccountFacts {
            annotations: ServiceAccountAnnotations::read(&role.into_iter().collect(), &prefix),
            role_changed: changed.map(at),
            ..ServiceAccountFacts::default()
        };
        self.accounts.insert(format!("shop/{name}").parse().unwrap(), facts);
    }

    pub(super) fn send(&self, change: PodChange) {
        self.pods.send(change).unwrap();
    }

    /// The missed pods by reason.
    pub(super) fn missed(&self) -> Vec<(MissedReason, i64)> {
        let counts = self.agent.missed_pods().counts(false);
        counts.into_iter().map(|((reason, _), count)| (reason, count)).collect()
    }

    /// What was reported to the pods' owners.
    pub(super) fn reported(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.notices.try_recv().ok()).map(|notice| notice.message).collect()
    }

    pub(super) fn away(&self, away: bool) {
        self.log.away.store(away, SeqCst);
    }

    /// How often anything was looked up since the last call, and the most in any second.
    pub(super) fn look_ups(&self) -> (usize, usize) {
        let asked = std::mem::take(&mut *self.log.asked.lock().unwrap());
        let second = Duration::from_secs(1);
        let within =
            |from: &Instant| asked.iter().filter(|it| *it >= from && **it - *from < second).count();
        (asked.len(), asked.iter().map(within).max().unwrap_or_default())
    }
}

/// A pod of shop/NAME without a provider that was created at this second.
pub(super) fn made(name: &str, uid: &str, second: i64) -> AddedPod {
    let created = Some(at(second));
    AddedPod { created, ..pod(&format!("shop/{name}"), uid, uninjected()) }
}
