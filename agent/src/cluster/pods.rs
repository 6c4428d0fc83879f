//! The pods of this node, from one watch.

mod added;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Release},
        },
    },
    time::Duration,
};

use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
};
use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt as _, reflector,
        reflector::{ObjectRef, Store},
        watcher,
        watcher::Event,
    },
};
use moka::sync::Cache;
use podrole_runtime::health::Gate;
use tokio::{sync::mpsc, time::timeout};

use super::{NodesPods, one_line};
use crate::{
    node::{PodFacts, Pods},
    resolve::LookupError,
    token::Caller,
};

/// How much of a request's 0.8 s may be spent on looking up a pod.
const POD_TIMEOUT: Duration = Duration::from_millis(300);
/// A pod that the watch has not seen is looked up at most once in this time.
const MISS: Duration = Duration::from_secs(1);

/// The watched pods.
struct WatchedPods {
    store: Store<Pod>,
    client: Client,
    misses: Cache<String, Option<PodFacts>>,
    changes: Arc<AtomicU64>,
}

/// Watches the pods of `node`, and reports which are added and which end.
pub(super) fn watch(client: &Client, node: &str, listed: Gate) -> NodesPods {
    let (store, writer) = reflector::store();
    let (gone, gone_pods) = mpsc::unbounded_channel();
    let (added, added_pods) = mpsc::unbounded_channel();
    let reported = ReportedPods::default();
    let known = reported.clone();
    let look = move |pod: &mut Pod| {
        if let Some(pod) = added::added(pod).filter(|_| known.is_new(pod)) {
            // Fails only if the receiver is gone, when the agent ends.
            drop(added.send(pod));
        }
        strip(pod);
    };
    let api: Api<Pod> = Api::all(client.clone());
    // From the API server's watch cache, which indexes pods by node, as the kubelet lists them too:
    // a thousand agents that start at once must not have etcd read every pod a thousand times. What
    // the cache lacks arrives by the watch.
    let config = watcher::Config::default().any_semantic();
    let config = config.fields(&format!("spec.nodeName={node}"));
    let pods = watcher(api, config).default_backoff().modify(look);
    let pods = reflector(writer, pods);
    let mut present = Present::default();
    let changes = Arc::<AtomicU64>::default();
    let changed = Arc::clone(&changes);
    tokio::spawn(pods.for_each(move |event| {
        // After the store has applied the event: a reader of the new count sees the new pod.
        changed.fetch_add(1, Release);
        match event {
            Ok(event) => present.apply(&event).into_iter().for_each(|uid| {
                reported.forget(&uid);
                drop(gone.send(uid));
            }),
            Err(error) => {
                tracing::warn!(error = %one_line(&error), "could not watch the node's pods; retrying");
            }
        }
        futures::future::ready(())
    }));
    let ready = store.clone();
    tokio::spawn(async move {
        if ready.wait_until_ready().await.is_ok() {
            listed.open();
        }
    });
    let misses = Cache::builder().max_capacity(1024).time_to_live(MISS).build();
    let pods = Arc::new(WatchedPods { store, client: client.clone(), misses, changes });
    NodesPods { pods, added: added_pods, gone: gone_pods }
}

/// The UIDs of pods that were reported as added, so that each is reported once.
#[derive(Clone, Default)]
struct ReportedPods(Arc<Mutex<HashSet<String>>>);

impl ReportedPods {
    fn is_new(&self, pod: &Pod) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uid(pod))
    }

    fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// The UIDs of pods that have not ended, by name, to notice those that ended while the watch was
/// interrupted.
#[derive(Default)]
struct Present {
    pods: HashMap<String, String>,
    listing: HashMap<String, String>,
}

impl Present {
    /// Applies an event; returns the UIDs of pods that ended.
    fn apply(&mut self, event: &Event<Pod>) -> Vec<String> {
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
                return before.into_values().filter(|uid| !now.contains(uid)).collect();
            }
            // It makes no more requests, but the object of a finished Job may stay for days.
            Event::Apply(pod) if has_ended(pod) => {
                return self.pods.remove(&name(pod)).into_iter().collect();
            }
            // The same name with another UID is another pod: a StatefulSet's next one.
            Event::Apply(pod) => {
                let before = self.pods.insert(name(pod), uid(pod));
                return before.into_iter().filter(|before| *before != uid(pod)).collect();
            }
            Event::Delete(pod) => {
                let (name, uid) = (name(pod), uid(pod));
                if self.pods.get(&name) == Some(&uid) {
                    self.pods.remove(&name);
                }
                return vec![uid];
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

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn uid(pod: &Pod) -> String {
    pod.metadata.uid.clone().unwrap_or_default()
}

/// Drops everything that the agent does not use, to keep the store small.
fn strip(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
    pod.metadata.labels = None;
    if let Some(spec) = &mut pod.spec {
        let (node_name, host_network) = (spec.node_name.take(), spec.host_network);
        *spec = PodSpec { node_name, host_network, ..PodSpec::default() };
    }
    if let Some(status) = &mut pod.status {
        let (phase, pod_ips) = (status.phase.take(), status.pod_ips.take());
        *status = PodStatus { phase, pod_ips, ..PodStatus::default() };
    }
}

fn facts(pod: &Pod) -> PodFacts {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let addresses = status.and_then(|status| status.pod_ips.as_deref()).unwrap_or_default();
    PodFacts {
        uid: uid(pod),
        finished: has_ended(pod),
        gone_at: pod.metadata.deletion_timestamp.as_ref().map(|at| at.0),
        node: spec.and_then(|spec| spec.node_name.clone()),
        addresses: addresses.iter().filter_map(|address| address.ip.parse().ok()).collect(),
        host_network: spec.and_then(|spec| spec.host_network).unwrap_or_default(),
    }
}

impl WatchedPods {
    async fn look(&self, caller: &Caller) -> Result<Option<PodFacts>, LookupError> {
        let namespace = caller.service_account.namespace();
        let watched = ObjectRef::new(&caller.pod_name).within(namespace);
        let watched = self.store.get(&watched).map(|pod| facts(&pod));
        if let Some(pod) = watched.filter(|pod| pod.uid == caller.pod_uid) {
            return Ok(Some(pod));
        }
        if let Some(known) = self.misses.get(&caller.pod_uid) {
            return Ok(known);
        }
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let live = timeout(POD_TIMEOUT, api.get_opt(&caller.pod_name)).await;
        let live = live.map_err(|_| LookupError("no answer".to_owned()))?;
        let live = live.map_err(|error| LookupError(one_line(&error)))?;
        let live = live.as_ref().map(facts);
        self.misses.insert(caller.pod_uid.clone(), live.clone());
        Ok(live)
    }
}

impl Pods for WatchedPods {
    fn find<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<PodFacts>, LookupError>> {
        self.look(caller).boxed()
    }

    fn changes(&self) -> Option<u64> {
        Some(self.changes.load(Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::net::IpAddr;

    fn pod(name: &str, uid: &str) -> Pod {
        let metadata = json!({"name": name, "namespace": "shop", "uid": uid});
        serde_json::from_value(json!({
            "metadata": metadata,
            "spec": {"nodeName": "n1", "hostNetwork": true, "containers": []},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.1.2.3"}, {"ip": "fd00::3"}]},
        }))
        .unwrap()
    }

    #[test]
    fn stripping_keeps_what_the_agent_uses() {
        let mut pod = pod("app", "1");
        strip(&mut pod);
        let facts = facts(&pod);
        assert_eq!((facts.uid.as_str(), facts.node.as_deref()), ("1", Some("n1")));
        let both: Vec<IpAddr> = vec!["10.1.2.3".parse().unwrap(), "fd00::3".parse().unwrap()];
        assert_eq!(facts.addresses, both);
        assert!(facts.host_network && !facts.finished);
    }

    #[test]
    fn pods_that_end_while_the_watch_is_interrupted_are_reported() {
        let mut present = Present::default();
        for event in [Event::Init, Event::InitApply(pod("a", "1")), Event::InitApply(pod("b", "2"))]
        {
            assert!(present.apply(&event).is_empty());
        }
        assert!(present.apply(&Event::InitDone).is_empty());
        assert!(present.apply(&Event::Apply(pod("c", "3"))).is_empty());
        assert_eq!(present.apply(&Event::Delete(pod("a", "1"))), ["1"]);
        assert_eq!(present.apply(&Event::Apply(pod("c", "4"))), ["3"]);
        present.apply(&Event::Init);
        present.apply(&Event::InitApply(pod("c", "4")));
        assert_eq!(present.apply(&Event::InitDone), ["2"]);
        assert_eq!(
            present.apply(&Event::Delete(pod("c", "3"))),
            ["3"],
            "the end of an earlier pod of that name"
        );
        assert_eq!(present.apply(&Event::Delete(pod("c", "4"))), ["4"]);
        assert!(present.pods.is_empty(), "names are removed with their pods");
    }

    #[test]
    fn a_finished_pod_is_reported_while_its_object_stays() {
        let mut present = Present::default();
        let mut job = pod("job", "1");
        assert!(present.apply(&Event::Apply(job.clone())).is_empty());
        job.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
        assert_eq!(present.apply(&Event::Apply(job.clone())), ["1"]);
        assert!(present.apply(&Event::Apply(job.clone())).is_empty(), "it is reported once");
        for event in [Event::Init, Event::InitApply(job), Event::InitDone] {
            assert!(present.apply(&event).is_empty());
        }
        assert!(present.pods.is_empty());
    }
}
