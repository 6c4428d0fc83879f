//! This node's pods without a credential provider: when each is judged again, and which are missed now.
//!
//! A pod is judged when it is first seen, once when the objects that belong to it have had a minute to arrive, and then
//! every ten minutes, because its identity or its namespace's label may come later, and may be removed again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use podrole_identity::MissedReason;
use tokio::time::Instant;

use crate::{jitter::jitter, node::AddedPod};

/// How many pods are kept; the kubelet's default is 110 on a node.
const MOST: usize = 1000;
/// How many namespaces are named.
const MOST_NAMESPACES: usize = 50;
/// The label of the namespaces that are not named.
const OTHER: &str = "other";

/// When pods are judged again.
#[derive(Clone, Copy, Debug)]
pub struct MissedIntervals {
    /// The age of a new pod, and up to half of it more.
    pub first: Duration,
    /// The time between two judgements, and up to a fifth of it less or more.
    pub again: Duration,
}

impl Default for MissedIntervals {
    fn default() -> Self {
        Self { first: Duration::from_mins(1), again: Duration::from_mins(10) }
    }
}

impl MissedIntervals {
    fn first(&self) -> Duration {
        self.first.mul_f64(1.0 + 0.5 * jitter())
    }

    fn again(&self) -> Duration {
        self.again.mul_f64(0.8 + 0.4 * jitter())
    }
}

/// The pods without a credential provider.
#[derive(Debug)]
pub struct MissedPods {
    intervals: MissedIntervals,
    /// By UID.
    pods: Mutex<HashMap<String, Candidate>>,
}

#[derive(Debug)]
struct Candidate {
    pod: Arc<AddedPod>,
    first_seen: Instant,
    next: Instant,
    /// Its owner has an Event.
    is_reported: bool,
    missed: Option<MissedReason>,
    /// What had not come yet when the pod was last seen to lack nothing.
    awaited: Option<MissedReason>,
}

/// How many pods are missed, by reason and, if namespaces are named, by namespace.
pub(crate) type MissedCounts = BTreeMap<(MissedReason, Option<String>), i64>;

impl Candidate {
    /// Whether the judgement for which it was due is over. A new pod that was judged along with others is still judged when
    /// it is a minute old.
    fn is_over(&self, now: Instant, intervals: MissedIntervals) -> bool {
        self.next <= now || now - self.first_seen >= intervals.first
    }
}

impl MissedPods {
    pub(crate) fn new(intervals: MissedIntervals) -> Self {
        Self { intervals, pods: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Candidate>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a pod of this age that is about to be judged. A known one stays as it is, and beyond [`MOST`] none is added.
    pub(crate) fn insert(&self, pod: &AddedPod, age: Duration, now: Instant) -> Arc<AddedPod> {
        let mut pods = self.lock();
        if let Some(known) = pods.get(&pod.uid) {
            return Arc::clone(&known.pod);
        }
        let pod = Arc::new(pod.clone());
        if pods.len() < MOST {
            let left = self.intervals.first().checked_sub(age);
            let next = now + left.unwrap_or_else(|| self.intervals.again());
            let pod = Arc::clone(&pod);
            let candidate = Candidate {
                first_seen: now,
                next,
                is_reported: false,
                missed: None,
                awaited: None,
                pod,
            };
            pods.insert(candidate.pod.uid.clone(), candidate);
        }
        pod
    }

    /// When the next pod is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.lock().values().map(|candidate| candidate.next).min()
    }

    /// The pod that has been due for the longest, with all others of its ServiceAccount: the same look-ups decide
    /// about them.
    pub(crate) fn due(&self, now: Instant) -> Vec<Arc<AddedPod>> {
        let pods = self.lock();
        let due = pods.values().filter(|candidate| candidate.next <= now);
        let Some(first) = due.min_by_key(|candidate| candidate.next) else { return Vec::new() };
        let service_account = &first.pod.service_account;
        let all = pods.values().map(|candidate| &candidate.pod);
        all.filter(|pod| pod.service_account == *service_account).cloned().collect()
    }

    /// For how long the pod has been known.
    pub(crate) fn known_for(&self, uid: &str, now: Instant) -> Duration {
        let pods = self.lock();
        pods.get(uid).map_or(Duration::ZERO, |candidate| now - candidate.first_seen)
    }

    /// Records that the pod lacks nothing, although its namespace asks for injection: it has no identity.
    pub(crate) fn without_identity(&self, uid: &str, now: Instant) {
        if let Some(candidate) = self.lock().get_mut(uid) {
            candidate.awaited = Some(MissedReason::IdentityCameLater);
        }
        self.judged(uid, None, now);
    }

    /// What the agent itself has seen to come after the pod. Objects that were created without any field of their own, as
    /// by `kubectl create serviceaccount`, have no `managedFields`, not even after they are annotated.
    pub(crate) fn awaited(&self, uid: &str) -> Option<MissedReason> {
        self.lock().get(uid)?.awaited
    }

    /// Records whether the pod is missed.
    pub(crate) fn judged(&self, uid: &str, missed: Option<MissedReason>, now: Instant) {
        if let Some(candidate) = self.lock().get_mut(uid) {
            candidate.missed = missed;
            if candidate.is_over(now, self.intervals) {
                candidate.next = now + self.intervals.again();
            }
        }
    }

    /// Records that the namespace asks for no injection. All its pods but new ones are judged again at one time, which costs
    /// one look-up.
    pub(crate) fn none_in(&self, namespace: &str, now: Instant) {
        let next = now + self.intervals.again();
        let mut pods = self.lock();
        let own = |it: &&mut Candidate| it.pod.service_account.namespace() == namespace;
        for candidate in pods.values_mut().filter(own) {
            candidate.missed = None;
            candidate.awaited = Some(MissedReason::OlderThanLabel);
            if candidate.is_over(now, self.intervals) {
                candidate.next = next;
            }
        }
    }

    /// Records that these pods could not be judged. What is known of them stays.
    pub(crate) fn failed(&self, tried: &[Arc<AddedPod>], now: Instant) {
        let next = now + self.intervals.first();
        let mut pods = self.lock();
        for pod in tried {
            if let Some(candidate) = pods.get_mut(&pod.uid) {
                candidate.next = next;
            }
        }
    }

    /// Whether to report the pod to its owner. Only the first answer is yes.
    pub(crate) fn report_once(&self, uid: &str) -> bool {
        let mut pods = self.lock();
        pods.get_mut(uid).is_none_or(|it| !std::mem::replace(&mut it.is_reported, true))
    }

    /// Forgets a pod that ended.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// The pods that are missed now.
    pub(crate) fn counts(&self, by_namespace: bool) -> MissedCounts {
        let pods = self.lock();
        let missed = || pods.values().filter_map(|it| Some((it.missed?, &it.pod.service_account)));
        let named: BTreeSet<_> = missed().map(|(_, account)| account.namespace()).collect();
        let named: BTreeSet<_> = named.into_iter().take(MOST_NAMESPACES).collect();
        let mut counts = MissedCounts::new();
        for (reason, account) in missed() {
            let namespace = account.namespace();
            let namespace = if named.contains(namespace) { namespace } else { OTHER };
            let key = (reason, by_namespace.then(|| namespace.to_owned()));
            *counts.entry(key).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests;
