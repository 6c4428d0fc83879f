//! A request's way: who asks, does the pod live, whose role, and the credentials for it.

mod newcomer;

use std::{net::IpAddr, sync::Arc};

use axum::body::Bytes;
use podrole_identity::SessionNameTemplate;

use crate::{
    again::{Grounds, Hit},
    audit,
    clock::Clock,
    exchange::Exchange,
    extras::Extras,
    http::Hosts,
    keep::{Bounds, Keep, Key, Presented},
    keys::KeyRing,
    metrics::Metrics,
    node::{Liveness, PodFacts},
    peer::PeerVerdict,
    refusal::Refusal,
    resolve::{self, Asked, Decision, NamespaceFacts, ResolveError, ServiceAccounts},
    token::{Caller, Rules},
    verify::{Verdict, Verifier},
};

/// What an agent is made of. A daemon brings a cluster and AWS, a test brings maps.
pub struct Parts {
    /// The keys that tokens are verified with.
    pub keys: KeyRing,
    /// What tokens must say.
    pub rules: Rules,
    /// Where ServiceAccounts are looked up.
    pub service_accounts: Arc<ServiceAccounts>,
    /// Whether pods live.
    pub liveness: Liveness,
    /// How credentials are got.
    pub exchange: Arc<dyn Exchange>,
    /// What sessions are called.
    pub session_name: SessionNameTemplate,
    /// How many sessions are kept.
    pub max_sessions: u64,
    /// The names that requests may ask for.
    pub hosts: Hosts,
    /// What is counted.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
}

/// The agent. It lives until its last [`Arc`] goes.
pub struct Agent {
    verifier: Verifier,
    service_accounts: Arc<ServiceAccounts>,
    liveness: Liveness,
    exchange: Arc<dyn Exchange>,
    place: Arc<str>,
    extras: Extras,
    keep: Keep,
    hosts: Hosts,
    metrics: Metrics,
    clock: Clock,
}

impl Agent {
    /// An agent of these parts, without associations, guard-rails and limits.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let extras = Extras::plain(parts.exchange.kind(), &parts.session_name, &parts.rules);
        Self::with(parts, extras)
    }

    /// An agent of these parts.
    #[must_use]
    pub fn with(parts: Parts, extras: Extras) -> Arc<Self> {
        let keep = Keep::new(
            Arc::clone(&parts.exchange),
            parts.liveness.clone(),
            parts.clock.clone(),
            parts.metrics.clone(),
            Bounds {
                entries: usize::try_from(parts.max_sessions).unwrap_or(usize::MAX),
                bytes: extras.max_bytes,
            },
        );
        Arc::new(Self {
            verifier: Verifier::new(parts.keys, parts.rules),
            service_accounts: parts.service_accounts,
            liveness: parts.liveness,
            place: parts.exchange.place().into(),
            exchange: parts.exchange,
            extras,
            keep,
            hosts: parts.hosts,
            metrics: parts.metrics,
            clock: parts.clock,
        })
    }

    /// The success body for the bearer of `token`, who speaks from `peer`.
    ///
    /// # Errors
    /// With whose error it is and what mends it.
    pub async fn credentials(&self, token: &str, peer: Option<IpAddr>) -> Result<Bytes, Refusal> {
        let verdict = self.verifier.verify(token, self.clock.now()).await?;
        let served = self.serve(&verdict, token, peer).await;
        if let (Err(refusal), Some(notices)) = (&served, &self.extras.notices) {
            notices.refused(&verdict.caller, refusal);
        }
        served
    }

    async fn serve(
        &self,
        verdict: &Verdict,
        token: &str,
        peer: Option<IpAddr>,
    ) -> Result<Bytes, Refusal> {
        let (caller, now) = (&verdict.caller, self.clock.now());
        let bucket = self.extras.limit.bucket(&caller.pod_uid, now);
        if bucket.as_ref().is_some_and(|bucket| !bucket.take(now)) {
            return Err(Refusal::TooOften);
        }
        // Before anything is looked up: what changes meanwhile counts as changed.
        let grounds = self.grounds(caller);
        let pod = self.liveness.check(caller, now).await?;
        let judged = self.check_peer(caller, pod.as_ref(), peer)?;
        let (decision, namespace, version) = self.decide(caller).await?;
        let key = self.key(caller, decision);
        let presented = Presented { token, hash: verdict.hash, caller, version };
        let served = self.keep.get(&key, presented).await;
        let served = served.map_err(|error| {
            Refusal::exchange(error, self.exchange.kind(), caller, &key.session)
        })?;
        resolve::check_permitted(&served.kept.role, caller, &namespace, &key.session)?;
        audit::issued(caller, peer, &served);
        let body = served.kept.body.clone();
        // A pod that is going has a time of its own, and a stranger is counted each time.
        let plain = judged == PeerVerdict::Fine && pod.is_none_or(|pod| pod.gone_at.is_none());
        let again = served.again.zip(grounds.filter(|_| plain));
        let hit = again.map(|(session, grounds)| Hit { session, peer, grounds, bucket });
        verdict.hit.store(hit.map(Arc::new));
        Ok(body)
    }

    /// What a decision follows from as it is now, where it can be told when that changes.
    fn grounds(&self, caller: &Caller) -> Option<Grounds> {
        let (pods, associations) = self.changes();
        let account = &caller.service_account;
        let known = self.service_accounts.stands(account);
        let namespace = self.extras.namespaces.stands(&account.namespace().to_owned());
        Some(Grounds { pods: pods?, associations, until: known?.min(namespace?) })
    }

    /// How often pods and associations changed.
    pub(crate) fn changes(&self) -> (Option<u64>, u64) {
        (self.liveness.changes(), self.extras.associations.changes())
    }

    /// A pod of this node is gone.
    pub fn pod_gone(&self, uid: &str) {
        self.keep.pod_gone(uid);
    }

    /// The sessions that are kept.
    #[must_use]
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn check_peer(
        &self,
        caller: &Caller,
        pod: Option<&PodFacts>,
        peer: Option<IpAddr>,
    ) -> Result<PeerVerdict, Refusal> {
        let Some(peer) = peer else {
            return Ok(PeerVerdict::Fine);
        };
        let verdict = self.extras.peers.judge(peer, caller, pod);
        if verdict != PeerVerdict::Fine {
            self.metrics.foreign_peer();
            let (pod, account) = (&caller.pod_name, &caller.service_account);
            tracing::warn!(%peer, pod, %account, "a pod's token came from an address that is not the pod's");
        }
        let refused = verdict == PeerVerdict::Refused;
        if refused { Err(Refusal::Peer) } else { Ok(verdict) }
    }

    /// What the caller may ask for, by what the cluster says now; and which state of it that is.
    async fn decide(
        &self,
        caller: &Caller,
    ) -> Result<(Decision, Arc<NamespaceFacts>, u64), ResolveError> {
        let account = &caller.service_account;
        let name = account.namespace().to_owned();
        // Side by side: an API server that says nothing takes the patience of one look-up, not of two.
        let (facts, namespace) =
            tokio::join!(self.service_accounts.find(account), self.extras.namespaces.find(&name));
        let (facts, namespace) = (facts?, namespace?);
        let namespace = namespace.ok_or(ResolveError::NoNamespace(name))?;
        let list = self.extras.associations.current().ok_or(ResolveError::NoList)?;
        let asked = Asked {
            caller,
            account: facts.as_deref(),
            association: list.find(account),
            namespace: &namespace,
        };
        let decision = resolve::decide(&asked, &self.extras.sessions)?;
        let state = facts.as_ref().map(|facts| facts.version.as_str()).unwrap_or_default();
        let version = resolve::version(&list, account, state);
        Ok((decision, namespace, version))
    }

    fn key(&self, caller: &Caller, decision: Decision) -> Key {
        Key {
            exchange: self.exchange.kind(),
            place: Arc::clone(&self.place),
            session: decision.session,
            service_account: caller.service_account.clone(),
            service_account_uid: caller.service_account_uid.clone(),
            audiences: caller.audiences.clone(),
            pod_uid: decision.per_pod.then(|| caller.pod_uid.clone()),
        }
    }
}
