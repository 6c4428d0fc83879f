//! A request's way: who asks, does the pod live, whose role, and the credentials for it.

use std::sync::Arc;

use axum::body::Bytes;
use podrole_identity::{RoleArn, SessionNameTemplate};

use crate::{
    clock::Clock,
    exchange::{Exchange, SessionRequest},
    http::Hosts,
    keep::{Keep, Key, Presented},
    keys::KeyRing,
    metrics::Metrics,
    node::Liveness,
    refusal::Refusal,
    resolve::{self, ServiceAccounts},
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
    pub service_accounts: Arc<dyn ServiceAccounts>,
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
    service_accounts: Arc<dyn ServiceAccounts>,
    liveness: Liveness,
    exchange: Arc<dyn Exchange>,
    place: Arc<str>,
    session_name: SessionNameTemplate,
    keep: Keep,
    hosts: Hosts,
    metrics: Metrics,
    clock: Clock,
}

impl Agent {
    /// An agent of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
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
            session_name: parts.session_name,
            keep,
            hosts: parts.hosts,
            metrics: parts.metrics,
            clock: parts.clock,
        })
    }

    /// The success body for the bearer of `token`.
    ///
    /// # Errors
    /// With whose fault it is and what mends it.
    pub async fn credentials(&self, token: &str) -> Result<Bytes, Refusal> {
        let now = self.clock.now();
        let (caller, hash) = self.verifier.verify(token, now).await?;
        self.liveness.check(&caller, now).await?;
        let role = self.role(&caller).await?;
        let key = self.key(&caller, role);
        let presented = Presented { token, hash, caller: &caller };
        let kept = self.keep.get(&key, presented).await;
        kept.map(|kept| kept.body.clone())
            .map_err(|error| Refusal::exchange(error, &caller, &key.session.role))
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    async fn role(&self, caller: &Caller) -> Result<RoleArn, Refusal> {
        let facts = self.service_accounts.find(&caller.service_account).await;
        let facts = facts.map_err(resolve::ResolveError::from)?;
        let wanted = self.verifier.rules().audiences.first();
        let wanted = wanted.map(ToString::to_string).unwrap_or_default();
        Ok(resolve::decide(caller, facts.as_deref(), &wanted)?)
    }

    fn key(&self, caller: &Caller, role: RoleArn) -> Key {
        let account = &caller.service_account;
        let per_pod = self.session_name.mentions_the_pod();
        Key {
            exchange: self.exchange.kind(),
            place: Arc::clone(&self.place),
            session: SessionRequest {
                role,
                session_name: self.session_name.expand(account, &caller.pod_name),
                duration_seconds: None,
            },
            service_account: account.clone(),
            service_account_uid: caller.service_account_uid.clone(),
            audiences: caller.audiences.clone(),
            pod_uid: per_pod.then(|| caller.pod_uid.clone()),
        }
    }
}
