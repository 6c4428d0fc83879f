//! The pods of this node, from one watch.

mod seen;

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

/// Of a request's 0.8 s, this much may go into asking for a pod.
const POD_TIMEOUT: Duration = Duration::from_millis(300);
/// A pod that the watch does not have is asked for once in this time.
const MISS: Duration = Duration::from_secs(1);

/// The node's pods, from a watch.
struct WatchedPods {
    store: Store<Pod>,
    client: Client,
    misses: Cache<String, Option<PodFacts>>,
    changes: Arc<AtomicU64>,
}

/// Watches the pods of `node`; says which come and which go.
pub(super) fn watch(client: &Client, node: &str, listed: Gate) -> NodesPods {
    let (store, writer) = reflector::store();
    let (gone, out) = mpsc::unbounded_channel();
    let (come, newcomers) = mpsc::unbounded_channel();
    let greeted = Greeted::default();
    let known = greeted.clone();
    let look = move |pod: &mut Pod| {
        if let Some(seen) = seen::seen(pod).filter(|_| known.is_new(pod)) {
            // Nobody listens any more: the agent ends.
            drop(come.send(seen));
        }
        strip(pod);
    };
    let api: Api<Pod> = Api::all(client.clone());
    // From the API server's memory, which knows pods by node, as the kubelet asks too: a thousand agents that start at once
    // must not have etcd read every pod a thousand times. What is new since comes by the watch.
    let config = watcher::Config::default().any_semantic();
    let config = config.fields(&format!("spec.nodeName={node}"));
    let pods = watcher(api, config).default_backoff().modify(look);
    let pods = reflector(writer, pods);
    let mut present = Present::default();
    let changes = Arc::<AtomicU64>::default();
    let changed = Arc::clone(&changes);
    tokio::spawn(pods.for_each(move |event| {
        // The store has it by now.
        changed.fetch_add(1, Release);
        match event {
            Ok(event) => present.see(&event).into_iter().for_each(|uid| {
                greeted.forget(&uid);
                drop(gone.send(uid));
            }),
            Err(error) => {
                tracing::warn!(error = %one_line(&error), "the watch of pods broke off; it begins anew");
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
    NodesPods { pods, newcomers, gone: out }
}

/// The pods that were seen, so that each is new once. Clones are the same.
#[derive(Clone, Default)]
struct Greeted(Arc<Mutex<HashSet<String>>>);

impl Greeted {
    fn is_new(&self, pod: &Pod) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uid(pod))
    }

    fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// Which pods are there and have not ended, each UID by its name, so that one that goes while the
/// watch is broken is missed.
#[derive(Default)]
struct Present {
    pods: HashMap<String, String>,
    listing: HashMap<String, String>,
}

impl Present {
    /// Takes an event in; gives the UIDs of pods that are gone.
    fn see(&mut self, event: &Event<Pod>) -> Vec<String> {
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
            // It asks no more, though its object may lie there for days: a finished Job's.
            Event::Apply(pod) if has_ended(pod) => {
                return self.pods.remove(&name(pod)).into_iter().collect();
            }
            // A name that comes back with another UID is another pod: a StatefulSet's next.
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

/// Leaves of a pod only what is asked of it.
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
    fn what_is_asked_of_a_pod_survives_the_stripping() {
        let mut pod = pod("app", "1");
        strip(&mut pod);
        let facts = facts(&pod);
        assert_eq!((facts.uid.as_str(), facts.node.as_deref()), ("1", Some("n1")));
        let both: Vec<IpAddr> = vec!["10.1.2.3".parse().unwrap(), "fd00::3".parse().unwrap()];
        assert_eq!(facts.addresses, both);
        assert!(facts.host_network && !facts.finished);
    }

    #[test]
    fn pods_that_go_are_told_even_when_the_watch_missed_it() {
        let mut present = Present::default();
        for event in [Event::Init, Event::InitApply(pod("a", "1")), Event::InitApply(pod("b", "2"))]
        {
            assert!(present.see(&event).is_empty());
        }
        assert!(present.see(&Event::InitDone).is_empty());
        assert!(present.see(&Event::Apply(pod("c", "3"))).is_empty());
        assert_eq!(present.see(&Event::Delete(pod("a", "1"))), ["1"]);
        assert_eq!(present.see(&Event::Apply(pod("c", "4"))), ["3"]);
        present.see(&Event::Init);
        present.see(&Event::InitApply(pod("c", "4")));
        assert_eq!(present.see(&Event::InitDone), ["2"]);
        assert_eq!(present.see(&Event::Delete(pod("c", "3"))), ["3"], "an older one's end");
        assert_eq!(present.see(&Event::Delete(pod("c", "4"))), ["4"]);
        assert!(present.pods.is_empty(), "names are forgotten with their pods");
    }

    #[test]
    fn a_pod_that_has_ended_is_gone_though_its_object_stays() {
        let mut present = Present::default();
        let mut job = pod("job", "1");
        assert!(present.see(&Event::Apply(job.clone())).is_empty());
        job.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
        assert_eq!(present.see(&Event::Apply(job.clone())), ["1"]);
        assert!(present.see(&Event::Apply(job.clone())).is_empty(), "it is told once");
        for event in [Event::Init, Event::InitApply(job), Event::InitDone] {
            assert!(present.see(&event).is_empty());
        }
        assert!(present.pods.is_empty());
    }
}
