//! When the agent first saw each pod of its node.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;

use super::running::uid;
use crate::clock::Clock;

/// How long a pod is new: manifests with pod and association are applied in any order.
const NEW: SignedDuration = SignedDuration::from_secs(10);

/// The times by pod UID, by [`Clock::steady`]; [`Timestamp::MIN`] for pods of the first list, which
/// were there before the agent.
#[derive(Clone)]
pub(super) struct FirstSeen {
    clock: Clock,
    pods: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    times: HashMap<String, Timestamp>,
    /// Whether the first list is complete.
    listed: bool,
}

impl FirstSeen {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, pods: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, event: &Event<Pod>) {
        let now = self.clock.steady();
        let mut seen = self.lock();
        match event {
            Event::InitApply(pod) | Event::Apply(pod) => {
                let time = if seen.listed { now } else { Timestamp::MIN };
                seen.times.entry(uid(pod)).or_insert(time);
            }
            Event::InitDone => seen.listed = true,
            Event::Init | Event::Delete(_) => {}
        }
    }

    pub(super) fn forget(&self, uid: &str) {
        self.lock().times.remove(uid);
    }

    /// Whether the first list is complete.
    pub(super) fn has_listed(&self) -> bool {
        self.lock().listed
    }

    /// Whether the pod is new; `None` if it was never seen.
    pub(super) fn is_new(&self, uid: &str) -> Option<bool> {
        let time = *self.lock().times.get(uid)?;
        Some(self.clock.steady().duration_since(time) < NEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

    #[test]
    fn a_pod_is_new_for_10_s_unless_it_was_there_before_the_agent() {
        let time = Arc::new(AtomicI64::new(0));
        let clock = {
            let time = Arc::clone(&time);
            Clock::new(move || Timestamp::from_second(time.load(SeqCst)).unwrap())
        };
        let seen = FirstSeen::new(clock);
        let pod = |uid: &str| {
            let mut pod = Pod::default();
            pod.metadata.uid = Some(uid.to_owned());
            pod
        };
        seen.note(&Event::InitApply(pod("old")));
        assert!(!seen.has_listed());
        seen.note(&Event::InitDone);
        assert!(seen.has_listed());
        seen.note(&Event::Apply(pod("new")));
        // A list again, and later events, change nothing.
        time.store(9, SeqCst);
        seen.note(&Event::InitApply(pod("new")));
        assert_eq!((seen.is_new("old"), seen.is_new("new")), (Some(false), Some(true)));
        assert_eq!(seen.is_new("unknown"), None);
        time.store(10, SeqCst);
        assert_eq!(seen.is_new("new"), Some(false));
        seen.forget("new");
        assert_eq!(seen.is_new("new"), None);
    }
}
