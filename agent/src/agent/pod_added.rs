//! When a pod is first seen on the node: its credentials are fetched before it asks, or, if it was
//! created without a credential provider that it should have, its owner gets an Event.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use podrole_identity::{Exchange, Facts, PodShape, grant, lacked_provider};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::Agent;
use crate::{
    bearer_token::BearerToken,
    credential_cache::CredentialRequest,
    node::{AddedPod, PodChange, PodProvider, WaitingPod},
    resolve::{NamespaceFacts, ResolveError},
    token::Caller,
};

/// Between two new pods.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two pods that were there before the agent. Each costs at most three look-ups, so that a thousand agents that start
/// at once make at most 3,000 a second.
const EARLIER_PAUSE: Duration = Duration::from_secs(1);
/// Before a pod is tried again whose ServiceAccount or namespace could not be looked up.
const RETRY: Duration = Duration::from_secs(5);
/// A namespace that is still unknown after this many tries was deleted.
const TRIES: usize = 60;

impl Agent {
    /// Handles what the watch of pods shows, until the channel closes: new pods at once, and pods that were there before
    /// the agent slowly, when there is nothing else.
    pub async fn prefetch_all(&self, mut changes: mpsc::UnboundedReceiver<PodChange>) {
        let mut earlier = VecDeque::new();
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                change = changes.recv() => match change {
                    None => return,
                    Some(PodChange::Added(pod)) if self.was_there(&pod) => earlier.push_back(pod),
                    Some(change) => {
                        self.handle(&change).await;
                        sleep(PAUSE).await;
                    }
                },
                () = sleep_until(next), if !earlier.is_empty() => {
                    if let Some(pod) = earlier.pop_front() {
                        self.handle(&PodChange::Added(pod)).await;
                    }
                    next = Instant::now() + EARLIER_PAUSE;
                }
            }
        }
    }

    async fn handle(&self, change: &PodChange) {
        for _ in 0..TRIES {
            let handled = match change {
                PodChange::Added(pod) => self.pod_added(pod).await,
                PodChange::Waiting(pod) => self.report_waiting(pod).await,
            };
            match handled {
                // A denial does not pass by itself.
                Err(ResolveError::Denied(_)) => return,
                Err(error) if error.status() == 503 => sleep(RETRY).await,
                _ => break,
            }
        }
    }

    /// Whether the pod was created before the agent started.
    fn was_there(&self, pod: &AddedPod) -> bool {
        pod.created.is_none_or(|created| created < self.started)
    }

    /// Prefetches a pod's credentials, or reports that it has no credential provider.
    ///
    /// # Errors
    /// If the pod's role cannot be resolved; with status 503 it may be possible later.
    pub async fn pod_added(&self, pod: &AddedPod) -> Result<(), ResolveError> {
        match &pod.provider {
            PodProvider::Agent if self.exchange.kind() == Exchange::AssumeRole => {
                self.prefetch(pod).await
            }
            PodProvider::None(shape) => self.report_if_not_injected(pod, shape).await,
            PodProvider::Agent | PodProvider::Other => Ok(()),
        }
    }

    /// Fetches what the pod will ask for. The pod gets it only after its token is verified, because
    /// the cache's key contains the pod's UID and ServiceAccount.
    async fn prefetch(&self, pod: &AddedPod) -> Result<(), ResolveError> {
        let Some(facts) = self.service_accounts.find(&pod.service_account).await? else {
            return Ok(());
        };
        let expected = Arc::new(Caller {
            service_account: pod.service_account.clone(),
            service_account_uid: facts.uid.clone(),
            pod_name: pod.name.clone(),
            pod_uid: pod.uid.clone(),
            node: None,
            issuer: self.verifier.issuer(),
            key_id: None,
            audiences: vec![self.exchange.kind().audience().to_string()],
            listed_audience: true,
            expires: Timestamp::MAX,
        });
        let (decision, _, version) = self.decide(&expected).await?;
        let key = self.cache_key(&expected, decision);
        let token = BearerToken::absent();
        let request = CredentialRequest { token: &token, caller: &expected, version };
        // A refusal is logged where it was read, and cached for the pod that will ask.
        let _ = self.cache.get(&key, request).await;
        Ok(())
    }

    async fn report_if_not_injected(
        &self,
        pod: &AddedPod,
        shape: &PodShape,
    ) -> Result<(), ResolveError> {
        let service_account = &pod.service_account;
        // First the namespace: most pods of a node are in one that does not ask for injection.
        let namespace =
            self.options.namespaces.find(&service_account.namespace().to_owned()).await?;
        let expects = |namespace: &Arc<NamespaceFacts>| {
            let unlabelled = namespace.is_unlabelled && pod.may_expect_a_role(self.clock.now());
            (namespace.injection.is_some() || unlabelled) && !shape.opts_out_of(namespace)
        };
        let Some(namespace) = namespace.filter(expects) else {
            return Ok(());
        };
        let Some(facts) = self.service_accounts.find(service_account).await? else {
            return Ok(());
        };
        let association = match &self.options.associations {
            Some(associations) => associations.find(service_account).await?,
            None => None,
        };
        let list = self.options.list.current().ok_or(ResolveError::NoList)?;
        let patterns = self.options.patterns.current().ok_or(ResolveError::NoObjects)?;
        let guardrails = self.options.guardrails.current().ok_or(ResolveError::NoObjects)?;
        let known = Facts {
            service_account,
            labels: &facts.labels,
            sources: facts.sources(association.as_deref(), list.find(service_account)),
            patterns: &patterns,
            guardrails: &guardrails,
            namespace: &namespace,
            provider: None,
        };
        let granted = grant(&known, &self.options.sessions.rules);
        let Some(lack) = lacked_provider(shape, &facts.annotations, &granted, &namespace) else {
            return Ok(());
        };
        let notices = self.options.notices.as_ref();
        if namespace.injection.is_none() {
            notices.inspect(|notices| notices.not_opted_in(pod));
            return Ok(());
        }
        self.metrics.pod_not_injected();
        tracing::warn!(
            namespace = service_account.namespace(),
            pod = pod.name,
            service_account = service_account.name(),
            "a pod was created without its credential provider"
        );
        notices.inspect(|notices| notices.not_injected(pod, lack));
        Ok(())
    }

    /// Reports which Secret a pod may lack, if an annotation asks for one.
    async fn report_waiting(&self, pod: &WaitingPod) -> Result<(), ResolveError> {
        let facts = self.service_accounts.find(&pod.service_account).await?;
        let service_accounts = facts.map(|facts| facts.annotations.secrets.clone());
        let advice = pod.advice(&service_accounts.unwrap_or_default());
        if let Some((notices, advice)) = self.options.notices.as_ref().zip(advice) {
            notices.waiting(pod, advice);
        }
        Ok(())
    }
}
