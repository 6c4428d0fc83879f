//! The pods of this node, from one watch.

mod added;
mod ended;
mod facts;
mod first_seen;
mod live;
mod relist;
mod running;
mod waiting;

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Release},
        },
    },
    time::Duration,
};

use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt as _, reflector,
        reflector::{ObjectRef, Store},
        watcher,
        watcher::Event,
    },
};
use podrole_identity::AnnotationPrefix;
use podrole_runtime::{error_text::one_line, health::Health};
use tokio::{sync::mpsc, time::Instant};

use super::access::Access;
use crate::{
    clock::Clock,
    node::{AddressHolder, PodChange, PodFacts, Pods},
    resolve::{Cached, Lookup as _, LookupError},
    token::Caller,
};
use ended::EndedPods;
use facts::{facts, strip};
use first_seen::FirstSeen;
use live::{LivePods, PodRef};
use relist::relisting;
use running::{RunningPods, uid};
use waiting::WaitingPods;

/// A watch without an event for this time, and up to a minute more, is begun anew: it may be connected and report nothing.
/// The list comes from the API server's memory.
const QUIET: Duration = Duration::from_secs(150);
const MORE_QUIET: Duration = Duration::from_secs(60);
/// The same after an error.
const QUIET_AFTER_ERROR: Duration = Duration::from_secs(10);

/// The pods of one node, from a watch.
pub struct NodesPods {
    /// The pods, to look up.
    pub pods: Arc<dyn Pods>,
    /// Each pod once, when it is first seen, and when it has ended; and each that waits long for a Secret.
    pub added: mpsc::UnboundedReceiver<PodChange>,
    /// The UIDs of pods that ended.
    pub gone: mpsc::UnboundedReceiver<String>,
}

/// The watched pods.
struct WatchedPods {
    store: Store<Pod>,
    ended: EndedPods,
    live: Cached<LivePods, PodRef, PodFacts>,
    changes: Arc<AtomicU64>,
    in_order: Arc<AtomicBool>,
    first_seen: FirstSeen,
}

/// What becomes of the watch's events.
struct Events {
    running: RunningPods,
    ended: EndedPods,
    reported: ReportedPods,
    waiting: WaitingPods,
    gone: mpsc::UnboundedSender<String>,
    added: mpsc::UnboundedSender<PodChange>,
    changes: Arc<AtomicU64>,
    in_order: Arc<AtomicBool>,
    first_seen: FirstSeen,
    access: Access,
}

/// Watches the pods of `node`, and reports which are added and which end.
pub(super) fn watch(
    client: &Client,
    node: &str,
    prefix: AnnotationPrefix,
    clock: &Clock,
    health: &Health,
) -> NodesPods {
    let (store, writer) = reflector::store();
    let (gone, gone_pods) = mpsc::unbounded_channel();
    let (added, added_pods) = mpsc::unbounded_channel();
    let (reported, waiting) = (ReportedPods::default(), WaitingPods::default());
    tokio::spawn(waiting.clone().report(added.clone()));
    let api: Api<Pod> = Api::all(client.clone());
    // From the API server's watch cache, which indexes pods by node, as the kubelet lists them too:
    // a thousand agents that start at once must not have etcd read every pod a thousand times. What
    // the cache lacks arrives by the watch.
    let config = watcher::Config::default().any_semantic();
    let config = config.fields(&format!("spec.nodeName={node}"));
    let first_seen = FirstSeen::new(clock.clone());
    let (known, waits) = (reported.clone(), waiting.clone());
    let (seen, changed) = (first_seen.clone(), added.clone());
    let begin = move || {
        let (known, waits, added) = (known.clone(), waits.clone(), changed.clone());
        let (prefix, seen) = (prefix.clone(), seen.clone());
        let look = move |pod: &mut Pod| {
            if let Some(pod) = added::added(pod, &prefix).filter(|_| known.is_new(pod)) {
                let is_new = seen.has_listed();
                let change = if is_new { PodChange::Added } else { PodChange::Earlier };
                // Fails only if the receiver is gone, when the agent ends.
                drop(added.send(change(pod)));
            }
            waits.note(pod, Instant::now());
            strip(pod);
        };
        watcher(api.clone(), config.clone()).default_backoff().modify(look).boxed()
    };
    let (ended, changes, in_order) = (EndedPods::default(), Arc::default(), Arc::default());
    let mut events = Events {
        running: RunningPods::default(),
        ended: ended.clone(),
        reported,
        waiting,
        gone,
        added,
        changes: Arc::clone(&changes),
        in_order: Arc::clone(&in_order),
        first_seen: first_seen.clone(),
        access: Access::to("the right to list and watch pods", health),
    };
    let pods = relisting(begin, QUIET, MORE_QUIET, QUIET_AFTER_ERROR);
    tokio::spawn(reflector(writer, pods).for_each(move |event| {
        events.apply(event);
        futures::future::ready(())
    }));
    let (ready, listed) = (store.clone(), health.gate("the list of this node's pods"));
    tokio::spawn(async move {
        if ready.wait_until_ready().await.is_ok() {
            listed.open();
        }
    });
    let access = Access::to("the right to get pods", health);
    let live = LivePods { client: client.clone(), access };
    // What a look-up has shown of a pod says nothing of it later, because nothing would report its end.
    let live = Cached::without_last_known(live, clock.clone());
    let pods = Arc::new(WatchedPods { store, ended, live, changes, in_order, first_seen });
    NodesPods { pods, added: added_pods, gone: gone_pods }
}

impl Events {
    fn apply(&mut self, event: watcher::Result<Event<Pod>>) {
        match event {
            Ok(event) => {
                self.first_seen.note(&event);
                for pod in self.running.apply(&event) {
                    if pod.is_certain {
                        self.ended.insert(&pod.uid);
                    }
                    self.reported.forget(&pod.uid);
                    self.waiting.forget(&pod.uid);
                    self.first_seen.forget(&pod.uid);
                    // Its end must not overtake it, which has a long way.
                    drop(self.added.send(PodChange::Gone(pod.uid.clone())));
                    drop(self.gone.send(pod.uid));
                }
                if !matches!(event, Event::Init | Event::InitApply(_)) {
                    self.access.is_given();
                    self.in_order.store(true, Release);
                }
            }
            Err(error) => {
                let text = one_line(&error);
                self.access.is_refused(status(&error), &text);
                self.in_order.store(false, Release);
                tracing::warn!(error = %text, "could not watch the node's pods; retrying");
            }
        }
        // The store has applied the event, and so have we: a reader of the new count sees the change.
        self.changes.fetch_add(1, Release);
    }
}

/// The status that the API server answered with, or 0.
fn status(error: &watcher::Error) -> u16 {
    use watcher::Error::{InitialListFailed, WatchError, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchError(status) => status.code,
        _ => 0,
    }
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

impl WatchedPods {
    async fn look(&self, caller: &Caller) -> Result<Option<PodFacts>, LookupError> {
        let watched = ObjectRef::new(&caller.pod_name).within(caller.service_account.namespace());
        let watched = self.store.get(&watched).map(|pod| facts(&pod));
        let watched = watched.filter(|pod| pod.uid == caller.pod_uid);
        if self.ended.contains(&caller.pod_uid) {
            // What shows it alive is older than its end.
            return Ok(watched.filter(|pod| pod.finished));
        }
        if watched.is_some() {
            return Ok(watched);
        }
        let live = self.live.find(&PodRef::of(caller)).await?;
        if live.is_none() {
            self.ended.insert(&caller.pod_uid);
        }
        Ok(live.map(|pod| (*pod).clone()))
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

    fn holder(&self, address: IpAddr) -> AddressHolder {
        AddressHolder::among(self.store.state().iter().map(|pod| facts(pod)), address)
    }

    fn is_known(&self, uid: &str) -> bool {
        self.store.state().iter().any(|pod| running::uid(pod) == uid)
    }

    fn is_new(&self, uid: &str) -> bool {
        // A pod that the watch has not shown is newer than all that it has shown, if it is in order.
        self.first_seen.is_new(uid).unwrap_or_else(|| self.in_order())
    }

    fn in_order(&self) -> bool {
        self.in_order.load(Acquire)
    }
}

#[cfg(test)]
mod tests;
