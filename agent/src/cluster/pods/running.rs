//! Which of the node's pods have not ended.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;

/// The UIDs of pods that have not ended, by name, to notice those that ended while the watch was
/// interrupted.
#[derive(Default)]
pub(super) struct RunningPods {
    pods: HashMap<String, String>,
    listing: HashMap<String, String>,
}

/// A pod that ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GonePod {
    pub(super) uid: String,
    /// Whether an event has shown it. A list that lacks the pod may be older than the pod.
    pub(super) is_certain: bool,
}

impl GonePod {
    fn seen(uid: String) -> Self {
        Self { uid, is_certain: true }
    }

    fn missing(uid: String) -> Self {
        Self { uid, is_certain: false }
    }
}

impl RunningPods {
    /// Applies an event; returns the pods that ended.
    pub(super) fn apply(&mut self, event: &Event<Pod>) -> Vec<GonePod> {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(pod) if has_ended(pod) => {}
            Event::InitApply(pod) => {
                self.listing.insert(name(pod), uid(pod));
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listing);
                let before = std::mem::replace(&mut self.pods, listed);
                let now: HashSet<&String> = self.pods.values().collect();
                let gone = before.into_values().filter(|uid| !now.contains(uid));
                return gone.map(GonePod::missing).collect();
            }
            // It makes no more requests, but the object of a finished Job may stay for days.
            Event::Apply(pod) if has_ended(pod) => {
                return self.pods.remove(&name(pod)).map(GonePod::seen).into_iter().collect();
            }
            // The same name with another UID is another pod: a StatefulSet's next one.
            Event::Apply(pod) => {
                let before = self.pods.insert(name(pod), uid(pod));
                let other = before.filter(|before| *before != uid(pod));
                return other.map(GonePod::seen).into_iter().collect();
            }
            Event::Delete(pod) => {
                let (name, uid) = (name(pod), uid(pod));
                if self.pods.get(&name) == Some(&uid) {
                    self.pods.remove(&name);
                }
                return vec![GonePod::seen(uid)];
            }
        }
        Vec::new()
    }
}

fn name(pod: &Pod) -> String {
    let metadata = &pod.metadata;
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}", part(&metadata.namespace), part(&metadata.name))
}

pub(super) fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

pub(super) fn uid(pod: &Pod) -> String {
    pod.metadata.uid.clone().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in crate::cluster::pods) fn pod(name: &str, uid: &str) -> Pod {
        let metadata = json!({"name": name, "namespace": "shop", "uid": uid});
        serde_json::from_value(json!({
            "metadata": metadata,
            "spec": {"nodeName": "n1", "hostNetwork": true, "containers": []},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.1.2.3"}, {"ip": "fd00::3"}]},
        }))
        .unwrap()
    }

    fn seen(uid: &str) -> [GonePod; 1] {
        [GonePod::seen(uid.to_owned())]
    }

    #[test]
    fn pods_that_end_while_the_watch_is_interrupted_are_reported() {
        let mut running = RunningPods::default();
        for event in [Event::Init, Event::InitApply(pod("a", "1")), Event::InitApply(pod("b", "2"))]
        {
            assert!(running.apply(&event).is_empty());
        }
        assert!(running.apply(&Event::InitDone).is_empty());
        assert!(running.apply(&Event::Apply(pod("c", "3"))).is_empty());
        assert_eq!(running.apply(&Event::Delete(pod("a", "1"))), seen("1"));
        assert_eq!(running.apply(&Event::Apply(pod("c", "4"))), seen("3"));
        running.apply(&Event::Init);
        running.apply(&Event::InitApply(pod("c", "4")));
        assert_eq!(running.apply(&Event::InitDone), [GonePod::missing("2".to_owned())]);
        assert_eq!(
            running.apply(&Event::Delete(pod("c", "3"))),
            seen("3"),
            "the end of an earlier pod of that name"
        );
        assert_eq!(running.apply(&Event::Delete(pod("c", "4"))), seen("4"));
        assert!(running.pods.is_empty(), "names are removed with their pods");
    }

    #[test]
    fn a_finished_pod_is_reported_while_its_object_stays() {
        let mut running = RunningPods::default();
        let mut job = pod("job", "1");
        assert!(running.apply(&Event::Apply(job.clone())).is_empty());
        job.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
        assert_eq!(running.apply(&Event::Apply(job.clone())), seen("1"));
        assert!(running.apply(&Event::Apply(job.clone())).is_empty(), "it is reported once");
        for event in [Event::Init, Event::InitApply(job), Event::InitDone] {
            assert!(running.apply(&event).is_empty());
        }
        assert!(running.pods.is_empty());
    }
}
