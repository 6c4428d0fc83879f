//! Whether a token's pod is alive and on this node. A token outlives its pod; credentials must not.

mod added_pod;
mod address_holder;
mod pod_facts;
mod waiting_pod;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::{BoxFuture, FutureExt as _, ready};
use jiff::{SignedDuration, Timestamp};

use crate::{resolve::LookupError, token::Caller};
pub use added_pod::{AddedPod, PodChange, PodProvider};
pub use address_holder::AddressHolder;
pub use pod_facts::PodFacts;
pub use waiting_pod::{NeededSecret, WaitingPod};

/// How long after its deletion deadline a pod is still served, so that it can shut down in order.
const AFTER_DELETION: SignedDuration = SignedDuration::from_secs(60);

/// Where pods are looked up.
pub trait Pods: Send + Sync + 'static {
    /// The caller's pod, or `None` if it does not exist.
    ///
    /// # Errors
    /// If the pod is not known and the API server cannot be reached.
    fn find<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<PodFacts>, LookupError>>;

    /// How often the result of [`Self::find`] may have changed, or `None` if that is not counted.
    fn changes(&self) -> Option<u64> {
        None
    }

    /// Who of this node's live pods has the address.
    fn holder(&self, _: IpAddr) -> AddressHolder {
        AddressHolder::Unknown
    }

    /// Whether a pod of this UID is known, also if it is about to end: its processes can outlive that for a while.
    fn is_known(&self, _: &str) -> bool {
        false
    }

    /// Whether a pod was first seen within the last seconds, so that what was applied with it may not have arrived. By a
    /// clock that does not jump; not so for pods that were there before the agent.
    fn is_new(&self, _: &str) -> bool {
        false
    }

    /// Whether new pods become known by themselves: then a token's own word for its pod is not needed, and not taken.
    fn in_order(&self) -> bool {
        true
    }
}

/// Why a pod is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// It does not exist, or another pod has its name.
    #[error("the token's pod no longer exists; use the token of a running pod")]
    Gone,
    /// It has finished.
    #[error("the token's pod has finished; use the token of a running pod")]
    Finished,
    /// It runs on another node.
    #[error("the token's pod runs on another node; use the token of a pod on this node")]
    Elsewhere,
    /// It is not known, and the API server cannot be reached.
    #[error("{0}; the next request looks the pod up again")]
    Unknown(#[from] LookupError),
}

/// Checks that the caller's pod is alive and on the node `here`.
///
/// # Errors
/// If it is not.
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
    // A pod without a node has not started, so the request is not its own.
    if pod.node.is_none() || elsewhere(&pod.node) || elsewhere(&caller.node) {
        return Err(NodeError::Elsewhere);
    }
    Ok(())
}

/// The check if the API server is away, so that no pod can be looked up: the token must name this node.
///
/// # Errors
/// If it names another node, or none.
pub fn without_cluster(caller: &Caller, here: &str, error: LookupError) -> Result<(), NodeError> {
    match caller.node.as_deref() {
        Some(node) if node == here => Ok(()),
        Some(_) => Err(NodeError::Elsewhere),
        None => Err(NodeError::Unknown(error)),
    }
}

/// Checks that callers' pods are alive.
#[derive(Clone)]
pub struct Liveness(Option<NodePods>);

/// The pods of the node `here`.
#[derive(Clone)]
pub struct NodePods {
    pods: Arc<dyn Pods>,
    here: Arc<str>,
}

impl NodePods {
    /// Who has the address.
    #[must_use]
    pub fn holder(&self, address: IpAddr) -> AddressHolder {
        let address = address.to_canonical();
        self.pods.holder(address).or_this_node(address)
    }

    /// Whether a pod of this UID is known, also if it is about to end.
    #[must_use]
    pub fn is_known(&self, uid: &str) -> bool {
        self.pods.is_known(uid)
    }

    /// Whether a pod was first seen within the last seconds.
    #[must_use]
    pub fn is_new(&self, uid: &str) -> bool {
        self.pods.is_new(uid)
    }
}

impl Liveness {
    /// Checks nothing: a valid token suffices. For loopback only.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Checks against `pods`, for the node `here`.
    #[must_use]
    pub fn on(pods: Arc<dyn Pods>, here: &str) -> Self {
        let here = here.into();
        Self(Some(NodePods { pods, here }))
    }

    /// [`Pods::changes`], or 0 if nothing is checked.
    #[must_use]
    pub fn changes(&self) -> Option<u64> {
        self.0.as_ref().map_or(Some(0), |watched| watched.pods.changes())
    }

    /// This node's pods, or `None` if nothing is checked: then addresses say nothing.
    #[must_use]
    pub fn pods(&self) -> Option<&NodePods> {
        self.0.as_ref()
    }

    /// Checks that the token does not name another node, without a look-up.
    ///
    /// # Errors
    /// If it does.
    pub fn check_node(&self, caller: &Caller) -> Result<(), NodeError> {
        let named = self.0.as_ref().zip(caller.node.as_deref());
        let elsewhere = named.is_some_and(|(watched, node)| *node != *watched.here);
        if elsewhere { Err(NodeError::Elsewhere) } else { Ok(()) }
    }

    /// Checks that the caller's pod is alive and on this node; returns the pod if it is known.
    ///
    /// # Errors
    /// If it is not, or that cannot be determined.
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
            Err(error @ LookupError::Forbidden(_)) => Err(error.into()),
            Err(error) if watched.pods.in_order() => Err(error.into()),
            Err(error) => without_cluster(caller, &watched.here, error).map(|()| None),
        }
    }
}

/// Pods in memory by UID, for use without a cluster. Clones share them.
#[derive(Clone, Default)]
pub struct PodMap(Arc<Mutex<MappedPods>>);

#[derive(Default)]
struct MappedPods {
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

    /// Removes a pod.
    pub fn remove(&self, uid: &str) {
        let mut map = self.lock();
        map.changes += 1;
        map.pods.remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, MappedPods> {
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

    fn holder(&self, address: IpAddr) -> AddressHolder {
        AddressHolder::among(self.lock().pods.values().cloned(), address)
    }

    fn is_known(&self, uid: &str) -> bool {
        self.lock().pods.contains_key(uid)
    }

    fn changes(&self) -> Option<u64> {
        Some(self.lock().changes)
    }
}

#[cfg(test)]
mod tests;
