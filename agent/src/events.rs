//! What a pod's owner sees in `kubectl describe pod`: why it gets no credentials.
//!
//! Best effort and few: one Event for a pod and reason in ten minutes, and none when the queue
//! is full or the cluster does not allow it.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use tokio::sync::mpsc;

use crate::{refusal::Refusal, token::Caller};

const PAUSE: Duration = Duration::from_mins(10);
const REMEMBERED: u64 = 4096;
const QUEUE: usize = 64;

/// One Event to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The pod.
    pub caller: Arc<Caller>,
    /// A word for programs.
    pub reason: &'static str,
    /// Whose fault it is and the mend.
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
    pub fn refused(&self, caller: &Arc<Caller>, refusal: &Refusal) {
        let key = (caller.pod_uid.clone(), refusal.code());
        if !refusal.is_final() || self.told.contains_key(&key) {
            return;
        }
        self.told.insert(key, ());
        let message = refusal.to_string();
        let notice = Notice { caller: Arc::clone(caller), reason: refusal.code(), message };
        // Full: the cluster is slower than the pods are wrong. The answer said it already.
        let _ = self.queue.try_send(notice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{node::NodeError, tests::fixture::caller};

    #[tokio::test]
    async fn a_final_refusal_is_told_once() {
        let (notices, mut out) = Notices::new();
        let caller = Arc::new(caller());
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
}
