//! Is the pod alive, and here? A token outlives its pod; credentials should not.

mod seen;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::{BoxFuture, FutureExt as _, ready};
use jiff::{SignedDuration, Timestamp};

use crate::{resolve::LookupError, token::Caller};
pub use seen::{Seen, Way, was_missed};

/// A pod that shuts down in good order still needs credentials for so long.
const AFTER_DELETION: SignedDuration = SignedDuration::from_secs(60);

/// What is known of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its UID.
    pub uid: String,
    /// Its phase is `Succeeded` or `Failed`.
    pub finished: bool,
    /// When it must be gone, once it was asked to go (`deletionTimestamp`).
    pub gone_at: Option<Timestamp>,
    /// The node that it runs on.
    pub node: Option<String>,
    /// Its addresses, once it has some.
    pub addresses: Vec<IpAddr>,
    /// It is on the node's own network.
    pub host_network: bool,
}

/// Where pods are looked up.
pub trait Pods: Send + Sync + 'static {
    /// The caller's pod as it is now; none when it does not exist.
    ///
    /// # Errors
    /// When the pod is not known and the cluster cannot be asked.
    fn find<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<PodFacts>, LookupError>>;

    /// How often what [`Self::find`] says may have changed; none where nobody counts.
    fn changes(&self) -> Option<u64> {
        None
    }
}

/// Why a pod is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// It does not exist, or another has its name now.
    #[error("the token's pod does not exist any more; use the token of a running pod")]
    Gone,
    /// It has ended.
    #[error("the token's pod has finished; use the token of a running pod")]
    Finished,
    /// It runs somewhere else.
    #[error("the token's pod runs on another node; ask the agent of that node")]
    Elsewhere,
    /// Nothing is known of it and the cluster cannot be asked.
    #[error("{0}; it is tried again with the next request")]
    Unknown(#[from] LookupError),
}

/// Whether the caller's pod is alive and on the node `here`.
///
/// # Errors
/// With what speaks against it.
pub fn alive(
    caller: &Caller,
    pod: Option<&PodFacts>,
    here: &str,
    now: Timestamp,
) -> Result<(), NodeError> {
    let pod = pod.filter(|pod| pod.uid == caller.pod_uid);
    let pod = pod.ok_or(NodeError::Gone)?;
    let elsewhere = |node: &Option<String>| node.as_deref().is_some_and(|node| node != here);
    if pod.finished {
        return Err(NodeError::Finished);
    }
    if pod.gone_at.is_some_and(|at| now.duration_since(at) >= AFTER_DELETION) {
        return Err(NodeError::Gone);
    }
    // A pod without a node runs nowhere, so it asks for nothing.
    if pod.node.is_none() || elsewhere(&pod.node) || elsewhere(&caller.node) {
        return Err(NodeError::Elsewhere);
    }
    Ok(())
}

/// What holds when the pod is unknown and the cluster cannot be asked: only a token that names
/// this node is believed.
///
/// # Errors
/// When it names another node, or none.
pub fn without_cluster(caller: &Caller, here: &str, error: LookupError) -> Result<(), NodeError> {
    match caller.node.as_deref() {
        Some(node) if node == here => Ok(()),
        Some(_) => Err(NodeError::Elsewhere),
        None => Err(NodeError::Unknown(error)),
    }
}

/// Asks whether callers' pods live. Clones ask the same cluster.
#[derive(Clone)]
pub struct Liveness(Option<Watched>);

#[derive(Clone)]
struct Watched {
    pods: Arc<dyn Pods>,
    here: Arc<str>,
}

impl Liveness {
    /// Believes every token that is good in itself. For loopback only.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Asks `pods`, for the node `here`.
    #[must_use]
    pub fn on(pods: Arc<dyn Pods>, here: &str) -> Self {
        let here = here.into();
        Self(Some(Watched { pods, here }))
    }

    /// How often pods changed; none where nobody counts.
    #[must_use]
    pub fn changes(&self) -> Option<u64> {
        self.0.as_ref().map_or(Some(0), |watched| watched.pods.changes())
    }

    /// Whether the caller's pod is alive and on this node; what is known of it, if anything.
    ///
    /// # Errors
    /// When it is not, or nobody can say.
    pub async fn check(
        &self,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Option<PodFacts>, NodeError> {
        let Some(watched) = &self.0 else {
            return Ok(None);
        };
        match watched.pods.find(caller).await {
            Ok(pod) => {
                alive(caller, pod.as_ref(), &watched.here, now)?;
                Ok(pod)
            }
            Err(error) => without_cluster(caller, &watched.here, error).map(|()| None),
        }
    }
}

/// Pods from a map by UID, where there is no cluster. Clones are the same map.
#[derive(Clone, Default)]
pub struct PodMap(Arc<Mutex<Mapped>>);

#[derive(Default)]
struct Mapped {
    pods: HashMap<String, PodFacts>,
    changes: u64,
}

impl PodMap {
    /// Adds a pod, or replaces it.
    pub fn insert(&self, pod: PodFacts) {
        let mut map = self.lock();
        map.changes += 1;
        map.pods.insert(pod.uid.clone(), pod);
    }

    /// Takes a pod away.
    pub fn remove(&self, uid: &str) {
        let mut map = self.lock();
        map.changes += 1;
        map.pods.remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, Mapped> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pods for PodMap {
    fn find<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<PodFacts>, LookupError>> {
        ready(Ok(self.lock().pods.get(&caller.pod_uid).cloned())).boxed()
    }

    fn changes(&self) -> Option<u64> {
        Some(self.lock().changes)
    }
}

#[cfg(test)]
mod tests;
