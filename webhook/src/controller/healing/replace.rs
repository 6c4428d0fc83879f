//! The replacement of one pod: what is checked just before, the eviction, and what is reported of it.

use std::sync::atomic::Ordering::Relaxed;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use tokio::time::Instant;

use super::{
    Healing,
    evict::{Evicted, evict},
    plan::{Owner, Plan, SeenPod, Step, Stop, WorkloadKey},
    pods::{Pod, is_complete},
};
use crate::controller::{
    event::{Said, report},
    request::bounded,
};

/// Why an Event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The pod is evicted.
    Evicted,
    /// Its eviction is not permitted.
    Blocked,
    /// The pods of its workload are left alone.
    Stopped,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Evicted => "HealingEvicted",
            Self::Blocked => "HealingBlocked",
            Self::Stopped => "HealingStopped",
        }
    }
}

impl Healing {
    /// Does what the plan says for a workload.
    pub(super) async fn heal(&self, plan: &mut Plan, key: &WorkloadKey, pods: &[SeenPod]) {
        match plan.step(key, pods, Instant::now()) {
            Step::Nothing => {}
            Step::Stop(why) => self.stop(key, pods, why).await,
            Step::Evict(pod) => {
                if self.may_evict(&key.1, &pod).await
                    && self.injects().await
                    && self.leads.load(Relaxed)
                {
                    self.evict(plan, key, pods, &pod).await;
                }
            }
        }
    }

    /// Whether what was listed of the pod still holds: a survey of many namespaces takes minutes. If it cannot be read, the
    /// pod stays.
    async fn may_evict(&self, namespace: &str, seen: &SeenPod) -> bool {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let pod = match bounded(api.get_opt(&seen.name)).await {
            Ok(Some(pod)) if pod.uid() == seen.uid => pod,
            Ok(_) => return false,
            Err(error) => {
                self.warn_of(namespace, "a missed pod", &seen.name, &error);
                return false;
            }
        };
        let lacks = pod.shape(&self.settings.annotations.prefix).may_lack();
        if !lacks || !pod.is_live() || pod.is_kept() {
            return false;
        }
        !pod.is_ready() || self.is_complete(namespace, &seen.owner).await
    }

    /// Whether all replicas are ready. If that cannot be read, none is spared.
    async fn is_complete(&self, namespace: &str, owner: &Owner) -> bool {
        let kind = GroupVersionKind::gvk("apps", "v1", owner.kind);
        let resource = ApiResource::from_gvk(&kind);
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &resource);
        match bounded(api.get(&owner.name)).await {
            Ok(found) if found.metadata.uid.as_deref() == Some(&owner.uid) => {
                serde_json::to_value(&found).is_ok_and(|found| is_complete(owner.kind, &found))
            }
            Ok(_) => false,
            Err(error) => {
                self.warn_of(namespace, owner.kind, &owner.name, &error);
                false
            }
        }
    }

    fn warn_of(&self, namespace: &str, kind: &str, name: &str, error: &str) {
        if self.warnings.is_due(&format!("{kind} {namespace}/{name}")) {
            tracing::warn!(kind, namespace, name, error, "could not read what is replaced");
        }
    }

    async fn evict(&self, plan: &mut Plan, key: &WorkloadKey, pods: &[SeenPod], pod: &SeenPod) {
        let namespace = key.1.as_str();
        let evicted = evict(&self.client, namespace, pod).await;
        let now = Instant::now();
        match evicted {
            Evicted::Done => {
                plan.evicted(key, pods, now);
                self.metrics.evicted("evicted");
                tracing::info!(namespace, pod = pod.name, "evicted a pod that had been missed");
                let note = "the pod had no credential provider for its ServiceAccount's role; its replacement gets one";
                self.report_on_pod(namespace, pod, Reason::Evicted, note).await;
            }
            Evicted::Gone => {}
            Evicted::Refused => {
                self.metrics.evicted("refused");
                if plan.refused(key, now) {
                    let note = "the pod has no credential provider for its ServiceAccount's role, and a \
                                PodDisruptionBudget does not permit to replace it; delete the pod, or let the budget \
                                permit one disruption";
                    self.report_on_pod(namespace, pod, Reason::Blocked, note).await;
                }
            }
            Evicted::Failed(error) => {
                plan.refused(key, now);
                self.failed(namespace, pod, &error);
            }
            Evicted::Unanswered(error) => {
                // It may have been done, so that its replacement is waited for.
                plan.evicted(key, pods, now);
                self.failed(namespace, pod, &error);
            }
        }
    }

    fn failed(&self, namespace: &str, pod: &SeenPod, error: &str) {
        self.metrics.evicted("failed");
        tracing::warn!(namespace, pod = pod.name, error, "could not evict a missed pod");
    }

    async fn stop(&self, key: &WorkloadKey, pods: &[SeenPod], why: Stop) {
        let (kind, namespace, name) = (key.0, key.1.as_str(), key.2.as_str());
        let (pod, cause) = match why {
            Stop::MissedAgain(pod) => {
                let cause = format!("pod {} has no credential provider again", pod.name);
                (Some(pod), cause)
            }
            Stop::NotReady => (None, "no replacement has become ready".to_owned()),
        };
        tracing::warn!(kind, namespace, name, cause, "stopped replacing the pods of a workload");
        let note = format!(
            "after the eviction of a pod {cause}, so podrole evicts none of this workload's pods for 24 h; \
             see the pod's Events and the webhook's log"
        );
        let pod = pod.or_else(|| pods.first().cloned());
        if let Some(pod) = pod {
            self.report_on_pod(namespace, &pod, Reason::Stopped, &note).await;
        }
    }

    async fn report_on_pod(&self, namespace: &str, pod: &SeenPod, reason: Reason, note: &str) {
        let regarding = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(namespace.to_owned()),
            name: Some(pod.name.clone()),
            uid: Some(pod.uid.clone()),
            ..ObjectReference::default()
        };
        let is_warning = reason != Reason::Evicted;
        let said = Said { action: "Heal", reason: reason.as_str(), note, is_warning };
        report(&self.client, &self.identity, namespace, regarding, &said).await;
    }
}
