//! Decides a request: who the caller is, whether its pod is alive, which role it may assume, and
//! with which credentials it is answered.

mod pod_added;

use std::{net::IpAddr, sync::Arc};

use axum::body::Bytes;
use podrole_identity::SessionNameTemplate;

use crate::{
    audit,
    bearer_token::{BearerToken, PresentedToken},
    clock::Clock,
    credential_cache::{Bounds, CacheKey, CredentialCache, CredentialRequest},
    exchange::ExchangeClient,
    extras::Extras,
    fast_path::{CachedAnswer, FastPath, InputVersions},
    hosts::Hosts,
    keys::JwksCache,
    metrics::Metrics,
    node::{Liveness, PodFacts},
    peer::PeerVerdict,
    refusal::Refusal,
    resolve::{self, Asked, Decision, NamespaceFacts, ResolveError, ServiceAccounts},
    token::{Caller, Rules},
    verify::{Verdict, Verifier},
};

/// What an agent is made of. The daemon passes a cluster and AWS, a test passes maps.
pub struct Parts {
    /// The keys that tokens are verified with.
    pub keys: JwksCache,
    /// What tokens must claim.
    pub rules: Rules,
    /// Where ServiceAccounts are looked up.
    pub service_accounts: Arc<ServiceAccounts>,
    /// Whether pods are alive.
    pub liveness: Liveness,
    /// How credentials are fetched.
    pub exchange: Arc<dyn ExchangeClient>,
    /// The names of sessions.
    pub session_name: SessionNameTemplate,
    /// How many sessions are cached.
    pub max_sessions: u64,
    /// The host names that requests may ask for.
    pub hosts: Hosts,
    /// The counters.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
}

/// The agent. Its tasks end when the last [`Arc`] of it is dropped.
pub struct Agent {
    fast_path: FastPath,
    verifier: Verifier,
    service_accounts: Arc<ServiceAccounts>,
    liveness: Liveness,
    exchange: Arc<dyn ExchangeClient>,
    endpoint: Arc<str>,
    extras: Extras,
    cache: CredentialCache,
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
        let cache = CredentialCache::new(
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
            fast_path: FastPath::new(),
            verifier: Verifier::new(parts.keys, parts.rules),
            service_accounts: parts.service_accounts,
            liveness: parts.liveness,
            endpoint: parts.exchange.endpoint().into(),
            exchange: parts.exchange,
            extras,
            cache,
            hosts: parts.hosts,
            metrics: parts.metrics,
            clock: parts.clock,
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
        let body = self.fast_path.find(token, peer, &inputs, self.clock.now())?;
        self.metrics.cache_lookup(true);
        Some(body)
    }

    /// The body for a request with `token` from `peer`.
    ///
    /// # Errors
    /// If the request is refused; the refusal says why and how to fix it.
    pub async fn credentials(
        &self,
        token: &BearerToken,
        peer: Option<IpAddr>,
    ) -> Result<Bytes, Refusal> {
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
        token: &BearerToken,
        peer: Option<IpAddr>,
    ) -> Result<Bytes, Refusal> {
        let (caller, now) = (&verdict.caller, self.clock.now());
        let bucket = self.extras.limit.bucket(&caller.pod_uid, now);
        if bucket.as_ref().is_some_and(|bucket| !bucket.take(now)) {
            return Err(Refusal::TooManyRequests);
        }
        // Read before anything is looked up, so that a change meanwhile outdates the answer.
        let inputs = self.input_versions(verdict.withdrawals);
        let until = self.lookups_fresh_until(caller).map(|until| until.min(verdict.ends()));
        let pod = self.liveness.check(caller, now).await?;
        let peer_verdict = self.check_peer(caller, pod.as_ref(), peer)?;
        let (decision, namespace, version) = self.decide(caller).await?;
        let key = self.cache_key(caller, decision);
        let request = CredentialRequest { token, caller, version };
        let served = self.cache.get(&key, request).await;
        let served = served.map_err(|error| {
            Refusal::exchange(error, self.exchange.kind(), caller, &key.session)
        })?;
        resolve::check_permitted(&served.credentials.role, caller, &namespace, &key.session)?;
        audit::issued(caller, peer, &served);
        let body = served.credentials.body.clone();
        // A terminating pod has a deadline that no version shows, and each request from another
        // address than the pod's is counted and logged.
        let repeatable =
            peer_verdict == PeerVerdict::Accepted && pod.is_none_or(|pod| pod.gone_at.is_none());
        let answer = served.snapshot.zip(inputs.zip(until).filter(|_| repeatable));
        let last_used = now.as_millisecond();
        let answer = answer.map(|(session, (inputs, until))| CachedAnswer {
            session,
            peer,
            inputs,
            until,
            bucket,
            last_used: last_used.into(),
        });
        self.fast_path.store(token.hash(), answer);
        Ok(body)
    }

    /// The versions of every input to a decision now, or `None` if one of them cannot report
    /// changes.
    fn input_versions(&self, keys: u64) -> Option<InputVersions> {
        let pods = self.liveness.changes()?;
        Some(InputVersions { pods, associations: self.extras.associations.changes(), keys })
    }

    /// Until when the caller's ServiceAccount and namespace are not looked up again, or `None` if
    /// each request looks them up.
    fn lookups_fresh_until(&self, caller: &Caller) -> Option<jiff::Timestamp> {
        let service_account = &caller.service_account;
        let namespace = service_account.namespace().to_owned();
        let known = self.service_accounts.stands(service_account)?;
        Some(known.min(self.extras.namespaces.stands(&namespace)?))
    }

    /// Forgets what is cached for a pod that ended.
    pub fn pod_gone(&self, uid: &str) {
        self.cache.pod_gone(uid);
    }

    /// The cached credentials.
    #[must_use]
    pub fn cache(&self) -> &CredentialCache {
        &self.cache
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
            return Ok(PeerVerdict::Accepted);
        };
        let verdict = self.extras.peers.check(peer, caller, pod);
        if verdict != PeerVerdict::Accepted {
            self.metrics.foreign_peer();
            let service_account = &caller.service_account;
            tracing::warn!(
                %peer,
                namespace = service_account.namespace(),
                pod = caller.pod_name,
                service_account = service_account.name(),
                refused = verdict == PeerVerdict::Refused,
                "a pod's token came from an address that is not the pod's"
            );
        }
        let refused = verdict == PeerVerdict::Refused;
        if refused { Err(Refusal::ForeignPeer) } else { Ok(verdict) }
    }

    /// The session that the caller may have, its namespace, and the version of what led there.
    async fn decide(
        &self,
        caller: &Caller,
    ) -> Result<(Decision, Arc<NamespaceFacts>, u64), ResolveError> {
        let account = &caller.service_account;
        let name = account.namespace().to_owned();
        // Both at once: if the API server does not answer, the request waits for one timeout.
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

    fn cache_key(&self, caller: &Caller, decision: Decision) -> CacheKey {
        CacheKey {
            exchange: self.exchange.kind(),
            endpoint: Arc::clone(&self.endpoint),
            session: decision.session,
            service_account: caller.service_account.clone(),
            service_account_uid: caller.service_account_uid.clone(),
            audiences: caller.audiences.clone(),
            pod_uid: decision.per_pod.then(|| caller.pod_uid.clone()),
        }
    }
}
