//! The pods of this node, from one watch.

mod added;
mod running;

use std::{
    collections::HashSet,
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
    },
};
use moka::sync::Cache;
use podrole_runtime::health::Gate;
use tokio::{sync::mpsc, time::timeout};

use super::one_line::one_line;
use crate::{
    node::{AddedPod, PodFacts, Pods},
    resolve::LookupError,
    token::Caller,
};
use running::{RunningPods, has_ended, uid};

/// How much of a request's 0.8 s may be spent on looking up a pod.
const POD_TIMEOUT: Duration = Duration::from_millis(300);
/// A pod that the watch has not seen is looked up at most once in this time.
const MISS: Duration = Duration::from_secs(1);

/// The pods of one node, from a watch.
pub struct NodesPods {
    /// The pods, to look up.
    pub pods: Arc<dyn Pods>,
    /// Each pod once, when it is first seen.
    pub added: mpsc::UnboundedReceiver<AddedPod>,
    /// The UIDs of pods that ended.
    pub gone: mpsc::UnboundedReceiver<String>,
}

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
    let mut running = RunningPods::default();
    let changes = Arc::<AtomicU64>::default();
    let changed = Arc::clone(&changes);
    tokio::spawn(pods.for_each(move |event| {
        // After the store has applied the event: a reader of the new count sees the new pod.
        changed.fetch_add(1, Release);
        match event {
            Ok(event) => running.apply(&event).into_iter().for_each(|uid| {
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
    use super::{running::tests::pod, *};
    use std::net::IpAddr;

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
}
