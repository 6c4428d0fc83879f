//! Answers a request for credentials: verifies the caller, checks that its pod is alive, decides
//! its role and gets the credentials.

mod attempt;
mod ended;
mod inputs;
mod not_injected;
mod pod_added;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::{
    audit,
    bearer_token::{BearerToken, PresentedToken},
    clock::Clock,
    config::{AgentConfig, AgentOptions},
    credential_cache::{Bounds, CacheKey, CredentialCache, CredentialRequest},
    exchange::ExchangeClient,
    fast_path::{CachedAnswer, FastPath},
    hold::Holds,
    hosts::Hosts,
    log_limit::LogLimit,
    metrics::Metrics,
    missed_pods::MissedPods,
    node::{AddressHolder, Liveness, NodePods, PodFacts},
    peer::PeerVerdict,
    pod_sessions::PodSessions,
    refusal::Refusal,
    refusal_limit::RefusalLimit,
    resolve::{
        self, Associations, Decision, LookupError, NamespaceFacts, RequestFacts, ResolveError,
        ServiceAccountFacts, ServiceAccounts,
    },
    token::Caller,
    verify::{Verdict, Verifier},
};
use axum::body::Bytes;
use podrole_identity::Exchange;

/// The agent. Its tasks end when the last [`Arc`] of it is dropped.
pub struct Agent {
    fast_path: FastPath,
    verifier: Verifier,
    service_accounts: Arc<ServiceAccounts>,
    liveness: Liveness,
    exchange: Arc<dyn ExchangeClient>,
    endpoint: Arc<str>,
    options: AgentOptions,
    cache: CredentialCache,
    hosts: Hosts,
    metrics: Metrics,
    clock: Clock,
    holds: Holds,
    /// By pod UID.
    foreign_peers: LogLimit<String>,
    pod_sessions: PodSessions,
    missed_pods: Arc<MissedPods>,
}

impl Agent {
    /// An agent with an empty cache. Must be called in a runtime.
    #[must_use]
    pub fn new(config: AgentConfig) -> Arc<Self> {
        let AgentConfig { exchange, liveness, clock, metrics, options, .. } = config;
        let cache = CredentialCache::new(
            Arc::clone(&exchange),
            liveness.clone(),
            clock.clone(),
            metrics.clone(),
            Bounds {
                entries: usize::try_from(options.max_sessions).unwrap_or(usize::MAX),
                bytes: options.max_bytes,
            },
        );
        Arc::new(Self {
            fast_path: FastPath::new(),
            verifier: Verifier::new(config.keys, config.rules),
            service_accounts: config.service_accounts,
            liveness,
            endpoint: exchange.endpoint().into(),
            exchange,
            missed_pods: Arc::new(MissedPods::new(options.missed)),
            options,
            cache,
            hosts: config.hosts,
            holds: Holds::new(metrics.held_requests()),
            metrics,
            foreign_peers: LogLimit::new(),
            pod_sessions: PodSessions::default(),
            clock,
        })
    }

    /// The body for a pod that asks again while nothing changed, or `None` if its request takes
    /// the slow path, [`Self::credentials`].
    pub(crate) fn cached_answer(
        &self,
        token: &PresentedToken<'_>,
        peer: Option<IpAddr>,
    ) -> Option<Bytes> {
        let inputs = self.input_versions(self.verifier.withdrawals())?;
        let body = self.fast_path.find(token, peer, &inputs, &self.clock)?;
        self.metrics.cache_lookup(true);
        Some(body)
    }

    async fn serve(
        &self,
        verdict: &Verdict,
        token: &BearerToken,
        peer: Option<SocketAddr>,
    ) -> Result<Bytes, Refusal> {
        let (caller, now) = (&verdict.caller, self.clock.now());
        // Read before anything is looked up, so that a change meanwhile outdates the answer.
        let inputs = self.input_versions(verdict.withdrawals);
        // A stolen token of another node must not cost look-ups.
        self.liveness.check_node(caller)?;
        let ends = self.pod_sessions.ends();
        let fresh_until = self.lookups_fresh_until(caller);
        // At once: if the API server is slow, the request waits for one look-up.
        let (pod, decided) = tokio::join!(self.liveness.check(caller, now), self.decide(caller));
        let pod = pod?;
        let is_repeatable_peer = self.check_peer(caller, pod.as_ref(), peer).await?;
        let (decision, namespace, version) =
            decided.map_err(|error| self.not_served(caller, error))?;
        let fresh_until =
            fresh_until.map(|until| self.until_revoked(until, &decision, self.aws_now()));
        let key = self.cache_key(caller, decision);
        let request = CredentialRequest { token, caller, version };
        let served = self.cache.get(&key, request).await;
        let served = served.map_err(|error| {
            Refusal::exchange(error, self.exchange.kind(), caller, &key.session)
        })?;
        self.forget_other_session(caller, &served, ends).await?;
        let guardrails = self.options.guardrails.current().ok_or(ResolveError::NoObjects)?;
        let limits = (&*namespace, &*guardrails);
        resolve::check_permitted(&served.credentials.role, caller, limits, &key.session)?;
        let peer = peer.map(|peer| peer.ip());
        audit::issued(caller, peer, &served);
        let body = served.credentials.body.clone();
        // A terminating pod has a deadline that no version shows, and each request from another
        // address than the pod's is counted and logged.
        let repeatable = is_repeatable_peer && pod.is_none_or(|pod| pod.gone_at.is_none());
        let answer = served.snapshot.zip(inputs.zip(fresh_until).filter(|_| repeatable));
        let last_used = now.as_millisecond();
        let answer = answer.map(|(session, (inputs, fresh_until))| CachedAnswer {
            session,
            peer,
            inputs,
            ends: verdict.ends(),
            fresh_until,
            last_used: last_used.into(),
        });
        self.fast_path.store(token.hash(), answer);
        Ok(body)
    }

    /// Where associations are looked up. With `eks-auth` they decide nothing here: EKS does.
    fn associations(&self) -> Option<&Arc<Associations>> {
        let is_eks = self.exchange.kind() == Exchange::EksAuth;
        self.options.associations.as_ref().filter(|_| !is_eks)
    }

    /// Forgets what is cached for a pod that ended.
    pub fn pod_gone(&self, uid: &str) {
        self.pod_sessions.pod_gone(uid);
        self.cache.pod_gone(uid);
        self.missed_pods.forget(uid);
    }

    /// The pods without a credential provider.
    #[must_use]
    pub fn missed_pods(&self) -> Arc<MissedPods> {
        Arc::clone(&self.missed_pods)
    }

    /// The cached credentials.
    #[must_use]
    pub fn cache(&self) -> &CredentialCache {
        &self.cache
    }

    pub(crate) fn refusals(&self) -> &RefusalLimit {
        &self.options.refusals
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Checks that a request may come from `peer`; returns whether the next one from the same address may, too.
    async fn check_peer(
        &self,
        caller: &Caller,
        pod: Option<&PodFacts>,
        peer: Option<SocketAddr>,
    ) -> Result<bool, Refusal> {
        let Some((peer, pods)) = peer.zip(self.liveness.pods()) else {
            return Ok(true);
        };
        let (address, peers) = (peer.ip(), &self.options.peers);
        if peers.accepts_address(address, caller, pod) {
            return Ok(true);
        }
        let (holder, is_certain) = self.holder(peer, pods, caller).await;
        let verdict = peers.check(address, &holder, caller, pod);
        if verdict != PeerVerdict::Accepted {
            self.metrics.foreign_peer();
            self.log_foreign_peer(caller, address, verdict);
        }
        match verdict {
            PeerVerdict::Refused => Err(Refusal::ForeignPeer),
            PeerVerdict::Unproven => Err(Refusal::UnknownPeer),
            PeerVerdict::Accepted => Ok(is_certain),
            PeerVerdict::Suspicious => Ok(false),
        }
    }

    /// Who has the address of a request, and whether that is so for each request from it. Behind the node's own address is
    /// the pod whose socket it is, if the kernel can say so, and the next request may be another pod's.
    async fn holder(
        &self,
        peer: SocketAddr,
        pods: &NodePods,
        caller: &Caller,
    ) -> (AddressHolder, bool) {
        let holder = pods.holder(peer.ip());
        let owner = self.options.socket_owner.as_ref();
        let Some(owner) = owner.filter(|_| holder == AddressHolder::Node) else {
            return (holder, true);
        };
        let is_known = |uid: &String| *uid == caller.pod_uid || pods.is_known(uid);
        match owner.pod_uid(peer).await.filter(is_known) {
            Some(uid) => (AddressHolder::Pod(uid), false),
            None => (holder, false),
        }
    }

    fn log_foreign_peer(&self, caller: &Caller, peer: IpAddr, verdict: PeerVerdict) {
        let Some(requests) = self.foreign_peers.count(&*caller.pod_uid, self.clock.now()) else {
            return;
        };
        let service_account = &caller.service_account;
        tracing::warn!(
            %peer,
            namespace = service_account.namespace(),
            pod = caller.pod_name,
            service_account = service_account.name(),
            refused = verdict != PeerVerdict::Suspicious,
            requests,
            "a pod's token came from an address that is not the pod's"
        );
    }

    /// The session that the caller may have, its namespace, and the version of the facts behind both.
    async fn decide(
        &self,
        caller: &Caller,
    ) -> Result<(Decision, Arc<NamespaceFacts>, u64), ResolveError> {
        let service_account = &caller.service_account;
        let name = service_account.namespace().to_owned();
        // Counted before they are read, so that a change meanwhile outdates what is remembered.
        let object_changes = self.object_changes();
        let association = async {
            match self.associations() {
                Some(associations) => associations.find(service_account).await,
                None => Ok(None),
            }
        };
        let (facts, namespace, association) = tokio::join!(
            self.service_account(caller),
            self.options.namespaces.find(&name),
            association
        );
        let (facts, namespace, association) = (facts?, namespace?, association?);
        let namespace = namespace.ok_or(ResolveError::NoNamespace(name))?;
        let list = self.options.list.current().ok_or(ResolveError::NoList)?;
        let patterns = self.options.patterns.current().ok_or(ResolveError::NoObjects)?;
        let guardrails = self.options.guardrails.current().ok_or(ResolveError::NoObjects)?;
        let request = RequestFacts {
            caller,
            service_account: facts.as_deref(),
            association: association.as_deref(),
            listed: list.find(service_account),
            patterns: &patterns,
            guardrails: &guardrails,
            namespace: &namespace,
        };
        let decision = resolve::decide(&request, &self.options.sessions)?;
        let version = resolve::version(&request, object_changes);
        Ok((decision, namespace, version))
    }

    /// The caller's ServiceAccount. If it is not the token's, it is looked up again: the token is newer than an answer that
    /// shows no ServiceAccount, or an earlier one of that name.
    async fn service_account(
        &self,
        caller: &Caller,
    ) -> Result<Option<Arc<ServiceAccountFacts>>, LookupError> {
        let name = &caller.service_account;
        let facts = self.service_accounts.find(name).await?;
        if facts.as_ref().is_some_and(|facts| facts.uid == caller.service_account_uid) {
            return Ok(facts);
        }
        self.service_accounts.doubt(name);
        self.service_accounts.find(name).await
    }

    fn cache_key(&self, caller: &Caller, decision: Decision) -> CacheKey {
        CacheKey {
            exchange: self.exchange.kind(),
            endpoint: Arc::clone(&self.endpoint),
            session: decision.session,
            service_account: caller.service_account.clone(),
            service_account_uid: caller.service_account_uid.clone(),
            audiences: caller.audiences.clone(),
            pod_uid: decision.per_pod.then(|| caller.pod_uid.clone()),
            not_before: decision.not_before.filter(|time| *time <= self.aws_now()),
        }
    }
}
