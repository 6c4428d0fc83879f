//! Events that tell a pod's owner, in `kubectl describe pod`, why the pod gets no credentials.
//!
//! Best effort and few: one Event for a pod and reason in ten minutes, and none if the queue is
//! full or the cluster does not permit it.

mod notice;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use tokio::sync::mpsc;

use podrole_identity::{INJECTION_ENABLED, INJECTION_LABEL, Lack, MissedReason};

use crate::{
    node::{AddedPod, WaitingPod},
    refusal::Refusal,
    token::Caller,
};
pub use notice::Notice;

/// How long a pod is refused before an Event says so, if the refusal may pass by itself.
const OUTAGE: SignedDuration = SignedDuration::from_mins(1);
/// After this time without a request, what a pod was refused before does not count.
const IDLE: Duration = Duration::from_mins(15);
/// How long the same Event is not written again.
const PAUSE: Duration = Duration::from_mins(10);
const REMEMBERED: u64 = 4096;
const QUEUE: usize = 64;
/// The reason on a pod that should have a credential provider and has none.
const NOT_INJECTED: &str = "NotInjected";
/// The reason on a pod that has a role, in a namespace without our label.
const NOT_OPTED_IN: &str = "NotOptedIn";
/// The reason on a pod that does not start, perhaps for a Secret of an annotation.
const WAITING: &str = "WaitingForSecret";
/// The reason on a pod whose requests have failed for a minute, for causes that may pass.
const UNAVAILABLE: &str = "CredentialsUnavailable";

/// The sending end of the queue of notices. Clones remember what each other sent.
#[derive(Clone)]
pub struct Notices {
    queue: mpsc::Sender<Notice>,
    sent: Cache<(String, &'static str), ()>,
    /// Since when the requests of a pod, by UID, fail for causes that may pass.
    failing: Cache<String, Timestamp>,
}

impl Notices {
    /// Both ends of the queue: the one that requests send to, and the one for the writer.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (queue, notices) = mpsc::channel(QUEUE);
        let sent = Cache::builder().max_capacity(REMEMBERED).time_to_live(PAUSE).build();
        let failing = Cache::builder().max_capacity(REMEMBERED).time_to_idle(IDLE).build();
        (Self { queue, sent, failing }, notices)
    }

    /// Reports a refusal: at once if no retry changes it, else once the pod's requests have failed for a minute.
    pub fn refused(&self, caller: &Caller, refusal: &Refusal, now: Timestamp) {
        let (reason, message) = if refusal.is_final() {
            (refusal.code(), refusal.to_string())
        } else {
            let Some(since) = self.failing_since(&caller.pod_uid, now) else {
                return;
            };
            let since = since.strftime("%H:%M:%S");
            (UNAVAILABLE, format!("no credentials since {since} UTC: {refusal}"))
        };
        self.send(&caller.pod_uid, reason, || Notice {
            namespace: caller.service_account.namespace().to_owned(),
            pod: caller.pod_name.clone(),
            uid: caller.pod_uid.clone(),
            action: "FetchCredentials",
            reason,
            message,
        });
    }

    /// Records that a pod has got credentials.
    pub fn served(&self, uid: &str) {
        self.failing.invalidate(uid);
    }

    /// Since when a pod's requests fail, if that is long enough for an Event.
    fn failing_since(&self, uid: &str, now: Timestamp) -> Option<Timestamp> {
        let since = self.failing.entry_by_ref(uid).or_insert(now).into_value();
        if since > now {
            // The clock was set back.
            self.failing.insert(uid.to_owned(), now);
        }
        (now.duration_since(since) >= OUTAGE).then_some(since)
    }

    /// Reports a pod that lacks a credential provider. If something of its own is in the way, to create
    /// it again changes nothing.
    pub fn not_injected(&self, pod: &AddedPod, lack: Lack, reason: Option<MissedReason>) {
        let service_account = &pod.service_account;
        let why = lack.advice().unwrap_or_else(|| cause(reason).to_owned());
        self.send(&pod.uid, NOT_INJECTED, || Notice {
            namespace: service_account.namespace().to_owned(),
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            action: "Inject",
            reason: NOT_INJECTED,
            message: format!(
                "ServiceAccount {service_account} has a role, but this pod has no credential provider for it: {why}"
            ),
        });
    }

    /// Reports a pod whose ServiceAccount has a role, in a namespace that has not decided about injection.
    pub fn not_opted_in(&self, pod: &AddedPod) {
        let service_account = &pod.service_account;
        let namespace = service_account.namespace();
        self.send(&pod.uid, NOT_OPTED_IN, || Notice {
            namespace: namespace.to_owned(),
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            action: "Inject",
            reason: NOT_OPTED_IN,
            message: format!(
                "ServiceAccount {service_account} has a role, but podrole does not handle the namespace {namespace}; \
                 label it {INJECTION_LABEL}={INJECTION_ENABLED} and create the pod again, or label it \
                 {INJECTION_LABEL}=disabled to say that this is meant"
            ),
        });
    }

    /// Reports a pod that waits for a Secret.
    pub fn waiting(&self, pod: &WaitingPod, message: String) {
        self.send(&pod.uid, WAITING, || Notice {
            namespace: pod.service_account.namespace().to_owned(),
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            action: "MountSecret",
            reason: WAITING,
            message,
        });
    }

    fn send(&self, uid: &str, reason: &'static str, notice: impl FnOnce() -> Notice) {
        let key = (uid.to_owned(), reason);
        if self.sent.contains_key(&key) {
            return;
        }
        // If the queue is full, the Event is dropped: the pod's next request, or a change of the pod, reports it again.
        if self.queue.try_send(notice()).is_ok() {
            self.sent.insert(key, ());
        }
    }
}

/// Why a pod was not injected, with the fix.
fn cause(reason: Option<MissedReason>) -> &'static str {
    match reason {
        Some(MissedReason::IdentityCameLater) => {
            "what gives the role was created or changed after the pod; create the pod again"
        }
        Some(MissedReason::OlderThanLabel) => {
            "the pod is older than its namespace's label for podrole; create the pod again"
        }
        Some(MissedReason::WebhookWasAway) => {
            "podrole-webhook was not called when the pod was created; check that it runs, then create the \
             pod again"
        }
        None => {
            "either podrole-webhook was not called when the pod was created, or the \
             ServiceAccount got its role later; create the pod again"
        }
    }
}

#[cfg(test)]
mod tests {
    use podrole_identity::{CredentialProvider, InTheWay};

    use super::*;
    use crate::{
        node::{NodeError, PodProvider},
        tests::fixture::{at, caller},
    };

    #[tokio::test]
    async fn a_final_refusal_is_reported_once() {
        let (notices, mut out) = Notices::new();
        let caller = caller();
        notices.refused(&caller, &Refusal::StillFetching, at(0));
        for _ in 0..100 {
            notices.refused(&caller, &Refusal::Node(NodeError::Finished), at(0));
        }
        drop(notices);
        let notice = out.recv().await.unwrap();
        assert_eq!(notice.reason, "PodNotServed");
        assert!(notice.message.contains("finished"), "{}", notice.message);
        assert_eq!(out.recv().await, None);
    }

    #[tokio::test]
    async fn an_outage_is_reported_after_a_minute_and_not_before() {
        let (notices, mut out) = Notices::new();
        let caller = caller();
        let refused = |second| notices.refused(&caller, &Refusal::StillFetching, at(second));
        for second in [0, 30, 59] {
            refused(second);
        }
        notices.served(&caller.pod_uid);
        refused(60);
        refused(119);
        assert!(out.try_recv().is_err(), "it had credentials in between");
        for second in [120, 121, 180] {
            refused(second);
        }
        let notice = out.try_recv().unwrap();
        assert_eq!(notice.reason, "CredentialsUnavailable");
        assert!(notice.message.starts_with("no credentials since "), "{}", notice.message);
        assert!(out.try_recv().is_err(), "once");
        refused(-7200);
        refused(-7141);
        refused(-7140);
        assert!(out.try_recv().is_err(), "a clock that was set back");
    }

    #[tokio::test]
    async fn a_pod_without_a_provider_is_reported_once() {
        let (notices, mut out) = Notices::new();
        let pod = |uid: &str| AddedPod {
            name: "app-1".to_owned(),
            uid: uid.to_owned(),
            service_account: "shop/app".parse().unwrap(),
            provider: PodProvider::Other,
            created: None,
        };
        let lack = |provider, obstacle| Lack { provider, obstacle };
        for uid in ["1", "1", "2"] {
            notices.not_injected(&pod(uid), lack(CredentialProvider::WebIdentity, None), None);
        }
        let taken = lack(CredentialProvider::Container, Some(InTheWay::Volume));
        let later = Some(MissedReason::IdentityCameLater);
        notices.not_injected(&pod("3"), taken, later);
        notices.not_injected(&pod("4"), lack(CredentialProvider::Container, None), later);
        drop(notices);
        let notice = out.recv().await.unwrap();
        assert_eq!((notice.reason, notice.uid.as_str()), ("NotInjected", "1"));
        assert!(notice.message.contains("shop/app"), "{}", notice.message);
        assert!(notice.message.ends_with("create the pod again"), "{}", notice.message);
        assert_eq!(out.recv().await.map(|notice| notice.uid).as_deref(), Some("2"));
        let message = out.recv().await.unwrap().message;
        assert!(message.ends_with("the name eks-pod-identity-token; rename it"), "{message}");
        let message = out.recv().await.unwrap().message;
        assert!(message.contains("changed after the pod; create the pod again"), "{message}");
        assert_eq!(out.recv().await, None);
    }
}
