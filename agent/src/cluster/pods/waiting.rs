//! Which of the node's pods wait for Secrets that podrole's annotations ask for, and since when.
//!
//! Only the watch of pods is used: a right to read Secrets, or the kubelet's Events of all namespaces, would be worth
//! more to an attacker than the sentence is to the pod's owner.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodSpec};
use podrole_identity::{AnnotationPrefix, PodAnnotations, SECRET_VOLUME_PREFIX};
use tokio::{
    sync::mpsc,
    time::{Instant, interval},
};

use super::running::{has_ended, uid};
use crate::node::{NeededSecret, PodChange, WaitingPod};

/// How long a pod may take to start before its owner gets an Event. Syncing a Secret takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_secs(5);

/// The pods that wait, by UID. Clones share them.
#[derive(Clone, Default)]
pub(super) struct WaitingPods(Arc<Mutex<HashMap<String, Waiting>>>);

struct Waiting {
    pod: WaitingPod,
    since: Instant,
    is_reported: bool,
}

impl WaitingPods {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a pod's state as the watch shows it.
    pub(super) fn note(&self, pod: &Pod, now: Instant) {
        let Some(waiting) = waiting(pod) else {
            return self.forget(&uid(pod));
        };
        let mut pods = self.lock();
        match pods.get_mut(&waiting.uid) {
            Some(known) => known.pod = waiting,
            None => {
                let uid = waiting.uid.clone();
                pods.insert(uid, Waiting { pod: waiting, since: now, is_reported: false });
            }
        }
    }

    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// The pods that have waited too long, each once.
    fn due(&self, now: Instant) -> Vec<WaitingPod> {
        let mut pods = self.lock();
        let due = pods.values_mut().filter(|it| !it.is_reported && now - it.since >= PATIENCE);
        due.map(|it| {
            it.is_reported = true;
            it.pod.clone()
        })
        .collect()
    }

    /// Reports the pods that wait too long, until the receiver is gone.
    pub(super) async fn report(self, changes: mpsc::UnboundedSender<PodChange>) {
        let mut looks = interval(LOOK);
        while !changes.is_closed() {
            looks.tick().await;
            for pod in self.due(Instant::now()) {
                drop(changes.send(PodChange::Waiting(pod)));
            }
        }
    }
}

/// The pod, if none of its containers has started and one of podrole's Secrets may be the cause.
fn waiting(pod: &Pod) -> Option<WaitingPod> {
    let (metadata, spec) = (&pod.metadata, pod.spec.as_ref()?);
    if metadata.deletion_timestamp.is_some() || has_ended(pod) {
        return None;
    }
    let status = pod.status.as_ref()?;
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
    let statuses: Vec<&ContainerStatus> = statuses.flatten().collect();
    let reason = |status: &ContainerStatus| status.state.clone()?.waiting?.reason;
    let mut secrets = missing_variables(&statuses);
    // The kubelet mounts the volumes before it makes the pod's sandbox, which this condition reports.
    let is_ready = status.conditions.iter().flatten().any(|condition| {
        condition.type_ == "PodReadyToStartContainers" && condition.status == "True"
    });
    let is_new = |status: &&ContainerStatus| {
        matches!(reason(status).as_deref(), Some("ContainerCreating" | "PodInitializing"))
    };
    if !is_ready && !statuses.is_empty() && statuses.iter().all(is_new) {
        secrets.extend(mounted(spec));
    }
    (!secrets.is_empty()).then_some(())?;
    let account = spec.service_account_name.as_deref().unwrap_or("default");
    let annotations = metadata.annotations.clone().unwrap_or_default();
    Some(WaitingPod {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        service_account: format!("{}/{account}", metadata.namespace.as_deref()?).parse().ok()?,
        own: PodAnnotations::read(&annotations, &AnnotationPrefix::default()).secrets,
        secrets,
    })
}

/// The Secrets of podrole's volumes without which the pod does not start.
fn mounted(spec: &PodSpec) -> impl Iterator<Item = NeededSecret> {
    let ours = |name: &str| name.starts_with(SECRET_VOLUME_PREFIX);
    let volumes = spec.volumes.iter().flatten().filter(move |volume| ours(&volume.name));
    let secrets = volumes.filter_map(|volume| volume.secret.as_ref());
    let needed = secrets.filter(|secret| secret.optional != Some(true));
    let names = needed.filter_map(|secret| secret.secret_name.clone());
    names.map(|name| NeededSecret { name, is_missing: false })
}

/// The Secrets for variables that the kubelet does not find. It says so in the container's status.
fn missing_variables(statuses: &[&ContainerStatus]) -> Vec<NeededSecret> {
    let missing = statuses.iter().filter_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let message = waiting.message.as_deref()?.strip_prefix("secret \"")?;
        let name = message.strip_suffix("\" not found")?;
        let is_missing = waiting.reason.as_deref() == Some("CreateContainerConfigError");
        is_missing.then(|| NeededSecret { name: name.to_owned(), is_missing })
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: &Value, optional: bool) -> Pod {
        let secret = json!({"secretName": "db", "optional": optional});
        serde_json::from_value(json!({
            "metadata": {"name": "app-1", "namespace": "shop", "uid": "1"},
            "spec": {"serviceAccountName": "app", "containers": [{"name": "app"}],
                "volumes": [{"name": "podrole-secret-0123456789abcdef", "secret": secret},
                    {"name": "own", "secret": {"secretName": "own"}}]},
            "status": status,
        }))
        .unwrap()
    }

    fn state(reason: &str, message: Option<&str>) -> Value {
        let status = json!({"name": "app", "image": "x", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}});
        json!({"phase": "Pending", "containerStatuses": [status]})
    }

    fn names(status: &Value, optional: bool) -> Vec<(String, bool)> {
        let waiting = waiting(&pod(status, optional));
        let needed = waiting.into_iter().flat_map(|pod| pod.secrets);
        needed.map(|secret| (secret.name, secret.is_missing)).collect()
    }

    #[test]
    fn a_pod_waits_for_podroles_secrets_until_its_sandbox_is_there() {
        let creating = state("ContainerCreating", None);
        assert_eq!(names(&creating, false), [("db".to_owned(), false)]);
        assert!(names(&creating, true).is_empty());
        let mut mounted = creating.clone();
        mounted["conditions"] = json!([{"type": "PodReadyToStartContainers", "status": "True"}]);
        assert!(names(&mounted, false).is_empty());
        for other in [json!({"phase": "Pending"}), state("ImagePullBackOff", None)] {
            assert!(names(&other, false).is_empty(), "{other}");
        }
        let mut over = creating;
        over["phase"] = json!("Failed");
        assert!(names(&over, false).is_empty());
        let missing = state("CreateContainerConfigError", Some("secret \"mq\" not found"));
        assert_eq!(names(&missing, true), [("mq".to_owned(), true)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_is_reported_once_after_a_minute() {
        let waiting = WaitingPods::default();
        let creating = pod(&state("ContainerCreating", None), false);
        waiting.note(&creating, Instant::now());
        tokio::time::advance(Duration::from_secs(59)).await;
        waiting.note(&creating, Instant::now());
        assert!(waiting.due(Instant::now()).is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(waiting.due(Instant::now()).len(), 1);
        assert!(waiting.due(Instant::now()).is_empty());
        let running = pod(&json!({"phase": "Running"}), false);
        waiting.note(&running, Instant::now());
        assert!(waiting.lock().is_empty());
    }
}
