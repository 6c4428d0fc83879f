//! What a pod's owner sees in `kubectl describe pod`: why it gets no credentials.
//!
//! Best effort and few: one Event for a pod and reason in ten minutes, and none when the queue
//! is full or the cluster does not allow it.

use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::mpsc;

use crate::{node::Seen, refusal::Refusal, token::Caller};

const PAUSE: Duration = Duration::from_mins(10);
const REMEMBERED: u64 = 4096;
const QUEUE: usize = 64;
/// The word for a pod that should have been given an identity and was not.
const NOT_INJECTED: &str = "NotInjected";

/// One Event to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID.
    pub uid: String,
    /// What was tried for the pod.
    pub action: &'static str,
    /// A word for programs.
    pub reason: &'static str,
    /// Whose error it is and the mend.
    pub message: String,
}

/// Where notices go in. Clones share the memory.
#[derive(Clone)]
pub struct Notices {
    queue: mpsc::Sender<Notice>,
    told: Cache<(String, &'static str), ()>,
}

impl Notices {
    /// The two ends: one for requests, one for whoever writes Events.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (queue, out) = mpsc::channel(QUEUE);
        let told = Cache::builder().max_capacity(REMEMBERED).time_to_live(PAUSE).build();
        (Self { queue, told }, out)
    }

    /// Tells of a refusal that asking again does not change.
    pub fn refused(&self, caller: &Caller, refusal: &Refusal) {
        if !refusal.is_final() {
            return;
        }
        self.tell(&caller.pod_uid, refusal.code(), || Notice {
            namespace: caller.service_account.namespace().to_owned(),
            pod: caller.pod_name.clone(),
            uid: caller.pod_uid.clone(),
            action: "FetchCredentials",
            reason: refusal.code(),
            message: refusal.to_string(),
        });
    }

    /// Tells of a pod that should have been given an identity.
    pub fn missed(&self, pod: &Seen) {
        let account = &pod.service_account;
        self.tell(&pod.uid, NOT_INJECTED, || Notice {
            namespace: account.namespace().to_owned(),
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            action: "Inject",
            reason: NOT_INJECTED,
            message: format!(
                "ServiceAccount {account} names a role and this pod has no credentials of it: \
                 podrole-webhook was not asked when the pod was made, or the ServiceAccount named \
                 the role only later; make the pod anew"
            ),
        });
    }

    fn tell(&self, uid: &str, reason: &'static str, notice: impl FnOnce() -> Notice) {
        let key = (uid.to_owned(), reason);
        if self.told.contains_key(&key) {
            return;
        }
        self.told.insert(key, ());
        // Full: the cluster is slower than the pods are wrong. The answer said it already.
        let _ = self.queue.try_send(notice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        node::{NodeError, Way},
        tests::fixture::caller,
    };

    #[tokio::test]
    async fn a_final_refusal_is_told_once() {
        let (notices, mut out) = Notices::new();
        let caller = caller();
        notices.refused(&caller, &Refusal::StillFetching);
        for _ in 0..100 {
            notices.refused(&caller, &Refusal::Node(NodeError::Finished));
        }
        drop(notices);
        let told = out.recv().await.unwrap();
        assert_eq!(told.reason, "PodNotServed");
        assert!(told.message.contains("finished"), "{}", told.message);
        assert_eq!(out.recv().await, None);
    }

    #[tokio::test]
    async fn a_missed_pod_is_told_of_once() {
        let (notices, mut out) = Notices::new();
        let pod = |uid: &str| Seen {
            name: "app-1".to_owned(),
            uid: uid.to_owned(),
            service_account: "shop/app".parse().unwrap(),
            way: Way::None,
        };
        for uid in ["1", "1", "2"] {
            notices.missed(&pod(uid));
        }
        drop(notices);
        let told = out.recv().await.unwrap();
        assert_eq!((told.reason, told.uid.as_str()), ("NotInjected", "1"));
        assert!(told.message.contains("shop/app"), "{}", told.message);
        assert_eq!(out.recv().await.map(|told| told.uid).as_deref(), Some("2"));
        assert_eq!(out.recv().await, None);
    }
}
