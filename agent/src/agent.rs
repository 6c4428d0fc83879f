//! A request's way: who asks, does the pod live, whose role, and the credentials for it.

mod newcomer;

use std::{net::IpAddr, sync::Arc};

use axum::body::Bytes;
use podrole_identity::SessionNameTemplate;

use crate::{
    audit::Audit,
    clock::Clock,
    exchange::Exchange,
    extras::Extras,
    http::Hosts,
    keep::{Keep, Key, Presented},
    keys::KeyRing,
    metrics::Metrics,
    node::{Liveness, PodFacts},
    peer::PeerVerdict,
    refusal::Refusal,
    resolve::{self, Asked, Decision, NamespaceFacts, ResolveError, ServiceAccounts},
    token::{Caller, Rules},
    verify::Verifier,
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
    audit: Audit,
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
            parts.max_sessions,
        );
        Arc::new(Self {
            verifier: Verifier::new(parts.keys, parts.rules),
            service_accounts: parts.service_accounts,
            liveness: parts.liveness,
            place: parts.exchange.place().into(),
            exchange: parts.exchange,
            extras,
            keep,
            audit: Audit::default(),
            hosts: parts.hosts,
            metrics: parts.metrics,
            clock: parts.clock,
        })
    }

    /// The success body for the bearer of `token`, who speaks from `peer`.
    ///
    /// # Errors
    /// With whose fault it is and what mends it.
    pub async fn credentials(&self, token: &str, peer: Option<IpAddr>) -> Result<Bytes, Refusal> {
        let (caller, hash) = self.verifier.verify(token, self.clock.now()).await?;
        let served = self.serve(&caller, hash, token, peer).await;
        if let (Err(refusal), Some(notices)) = (&served, &self.extras.notices) {
            notices.refused(&caller, refusal);
        }
        served
    }

    async fn serve(
        &self,
        caller: &Arc<Caller>,
        hash: crate::keep::TokenHash,
        token: &str,
        peer: Option<IpAddr>,
    ) -> Result<Bytes, Refusal> {
        let now = self.clock.now();
        if !self.extras.limit.admits(&caller.pod_uid, now) {
            return Err(Refusal::TooOften);
        }
        let pod = self.liveness.check(caller, now).await?;
        self.check_peer(caller, pod.as_ref(), peer)?;
        let (decision, namespace, version) = self.decide(caller).await?;
        let key = self.key(caller, decision);
        let presented = Presented { token, hash, caller, version };
        let kept = self.keep.get(&key, presented).await;
        let (kept, got) = kept.map_err(|error| {
            Refusal::exchange(error, self.exchange.kind(), caller, &key.session)
        })?;
        resolve::check_permitted(&kept.role, caller, &namespace, &key.session)?;
        self.audit.issued(caller, peer, &kept, got);
        Ok(kept.body.clone())
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
    ) -> Result<(), Refusal> {
        let Some(peer) = peer else {
            return Ok(());
        };
        let verdict = self.extras.peers.judge(peer, caller, pod);
        if verdict != PeerVerdict::Fine {
            self.metrics.foreign_peer();
            let (pod, account) = (&caller.pod_name, &caller.service_account);
            tracing::warn!(%peer, pod, %account, "a pod's token came from an address that is not the pod's");
        }
        let refused = verdict == PeerVerdict::Refused;
        if refused { Err(Refusal::Peer) } else { Ok(()) }
    }

    /// What the caller may ask for, by what the cluster says now; and which state of it that is.
    async fn decide(
        &self,
        caller: &Caller,
    ) -> Result<(Decision, Arc<NamespaceFacts>, u64), ResolveError> {
        let account = &caller.service_account;
        let name = account.namespace().to_owned();
        let facts = self.service_accounts.find(account).await?;
        let namespace = self.extras.namespaces.find(&name).await?;
        let namespace = namespace.ok_or(ResolveError::NoNamespace(name))?;
        let list = self.extras.associations.current()?;
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
