//! When a pod is first seen on the node: its credentials are fetched before it asks, or, if it was
//! created without a credential provider, it is judged whether it should have one.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use podrole_identity::Exchange;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::Agent;
use crate::{
    bearer_token::BearerToken,
    credential_cache::CredentialRequest,
    node::{AddedPod, PodChange, PodProvider, WaitingPod},
    resolve::ResolveError,
    token::Caller,
};

/// Between two new pods.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two judgements that are not of a new pod. Each costs at most six look-ups, of ServiceAccount, association and
/// namespace: the cache looks up again after 3 s what was read once. So a thousand agents that start at once make at most
/// 3,000 a second.
const SLOW_PAUSE: Duration = Duration::from_secs(2);
/// After a judgement that failed: an API server in trouble must not get one attempt for each pod of each node.
const OUTAGE_PAUSE: Duration = Duration::from_mins(1);
/// Before a pod is tried again whose ServiceAccount or namespace could not be looked up.
const RETRY: Duration = Duration::from_secs(5);
/// A namespace that is still unknown after this many tries was deleted.
const TRIES: usize = 60;

impl Agent {
    /// Handles what the watch of pods shows, until the channel closes: new pods at once. When there is nothing else, pods that
    /// were there before the agent, and then those that are judged again, slowly.
    pub async fn prefetch_all(&self, mut changes: mpsc::UnboundedReceiver<PodChange>) {
        let mut earlier = VecDeque::new();
        let mut next = Instant::now();
        loop {
            let due = if earlier.is_empty() { self.missed_pods.next_due() } else { Some(next) };
            tokio::select! {
                biased;
                change = changes.recv() => match change {
                    None => return,
                    Some(PodChange::Earlier(pod)) => earlier.push_back(pod),
                    Some(PodChange::Gone(uid)) => {
                        earlier.retain(|pod| pod.uid != uid);
                        self.missed_pods.forget(&uid);
                    }
                    Some(change) => {
                        self.handle(&change).await;
                        sleep(PAUSE).await;
                    }
                },
                () = sleep_until(due.unwrap_or(next).max(next)), if due.is_some() => {
                    let pause = match earlier.pop_front() {
                        Some(pod) => {
                            self.handle(&PodChange::Earlier(pod)).await;
                            SLOW_PAUSE
                        }
                        None if self.judge_due().await.is_ok() => SLOW_PAUSE,
                        None => OUTAGE_PAUSE,
                    };
                    next = Instant::now() + pause;
                }
            }
        }
    }

    async fn handle(&self, change: &PodChange) {
        for _ in 0..TRIES {
            let handled = match change {
                PodChange::Added(pod) => self.pod_added(pod, false).await,
                PodChange::Earlier(pod) => self.pod_added(pod, true).await,
                PodChange::Waiting(pod) => self.report_waiting(pod).await,
                PodChange::Gone(_) => return,
            };
            match handled {
                // A denial does not pass by itself.
                Err(ResolveError::Denied(_)) => return,
                Err(error) if error.status() == 503 => sleep(RETRY).await,
                _ => break,
            }
        }
    }

    /// Prefetches a pod's credentials, or judges a pod without a credential provider; `was_there` before the agent.
    ///
    /// # Errors
    /// If the pod's role cannot be resolved; with status 503 it may be possible later.
    pub async fn pod_added(&self, pod: &AddedPod, was_there: bool) -> Result<(), ResolveError> {
        match &pod.provider {
            PodProvider::Agent if self.exchange.kind() == Exchange::AssumeRole => {
                self.prefetch(pod).await
            }
            PodProvider::None(_) => self.judge_new(pod, was_there).await,
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
