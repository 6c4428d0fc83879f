//! Which taints may be removed. Pure: events go in, and the time is an argument.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use super::objects::{AgentPod, TaintedNode};

/// The taint that nodes start with. Its effect is up to who adds it.
pub(super) const TAINT: &str = "podrole.io/agent-not-ready";
/// How long a running agent may stay unready before its node is used all the same. It listens, so that
/// SDKs get an answer and retry; AWS being away must not keep nodes out of the cluster.
const UNREADY: Duration = Duration::from_secs(60);

/// How long after its first failure a removal is tried again; at most 32 times as long after later ones.
const RETRY: Duration = Duration::from_secs(2);

/// Why a taint is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    /// The node's agent is ready.
    Ready,
    /// The node's agent runs for [`UNREADY`] without becoming ready.
    Running,
}

impl Why {
    /// The name in logs and metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
        }
    }
}

/// A node with the taint.
struct Tainted {
    /// The places of the taint in the node's list.
    taints: Vec<usize>,
    /// When the Node was created. An agent's pod of before is of another node of this name.
    created: Option<Timestamp>,
    /// When it was first seen with the taint.
    since: Instant,
    /// How many removals in a row failed.
    failures: u32,
    /// Before this nothing is tried; `None` while a removal is on its way.
    after: Option<Instant>,
}

/// A pod of the agent.
struct Agent {
    created: Option<Timestamp>,
    ready: bool,
    /// Since when its container has run without a restart.
    running: Option<(i32, Instant)>,
}

/// The nodes that have the taint, and the agents of all nodes.
#[derive(Default)]
pub(super) struct Nodes {
    tainted: BTreeMap<String, Tainted>,
    /// By node and name.
    agents: BTreeMap<(String, String), Agent>,
    /// The names that a list has had so far.
    listed_nodes: Option<HashSet<String>>,
    listed_pods: Option<HashSet<(String, String)>>,
}

impl Nodes {
    pub(super) fn node_event(&mut self, event: &Event<TaintedNode>, now: Instant) {
        match event {
            Event::Init => self.listed_nodes = Some(HashSet::new()),
            Event::InitApply(node) | Event::Apply(node) => self.node(node, now),
            Event::Delete(node) => {
                self.tainted.remove(node.metadata.name.as_deref().unwrap_or_default());
            }
            // A node that the list does not have is gone.
            Event::InitDone => {
                if let Some(listed) = self.listed_nodes.take() {
                    self.tainted.retain(|name, _| listed.contains(name));
                }
            }
        }
    }

    pub(super) fn pod_event(&mut self, event: &Event<AgentPod>, now: Instant) {
        match event {
            Event::Init => self.listed_pods = Some(HashSet::new()),
            Event::InitApply(pod) | Event::Apply(pod) => self.pod(pod, now),
            Event::Delete(pod) => {
                self.agents.remove(&pod.key());
            }
            Event::InitDone => {
                if let Some(listed) = self.listed_pods.take() {
                    self.agents.retain(|key, _| listed.contains(key));
                }
            }
        }
    }

    fn node(&mut self, node: &TaintedNode, now: Instant) {
        let name = node.metadata.name.clone().unwrap_or_default();
        if let Some(listed) = &mut self.listed_nodes {
            listed.insert(name.clone());
        }
        let all = node.taints().enumerate();
        let taints: Vec<_> =
            all.filter(|(_, taint)| taint.key == TAINT).map(|(at, _)| at).collect();
        if taints.is_empty() {
            self.tainted.remove(&name);
            return;
        }
        let created = node.created();
        let known = self.tainted.get(&name).filter(|known| known.created == created);
        let (since, failures) = known.map_or((now, 0), |known| (known.since, known.failures));
        // What was tried before was about another list, so that it is tried again.
        let after = known.filter(|known| known.failures > 0).and_then(|known| known.after);
        let after = Some(after.unwrap_or(now));
        self.tainted.insert(name, Tainted { taints, created, since, failures, after });
    }

    fn pod(&mut self, pod: &AgentPod, now: Instant) {
        let key = pod.key();
        if let Some(listed) = &mut self.listed_pods {
            listed.insert(key.clone());
        }
        // It ends, or is not scheduled yet.
        if pod.is_ending() || key.0.is_empty() {
            self.agents.remove(&key);
            return;
        }
        let before = self.agents.get(&key).and_then(|agent| agent.running);
        let running = pod.restarts().map(|restarts| match before {
            Some((counted, since)) if counted == restarts => (restarts, since),
            _ => (restarts, now),
        });
        self.agents.insert(key, Agent { created: pod.created(), ready: pod.is_ready(), running });
    }

    /// The next node to free, with the places of its taints. It counts as tried until `removed` or
    /// `failed`.
    pub(super) fn next(&mut self, now: Instant) -> Option<(String, Vec<usize>, Why)> {
        let agents = &self.agents;
        let why = |node: &str, created: Option<Timestamp>| {
            let own = agents.range((node.to_owned(), String::new())..);
            let own = own.take_while(|((of, _), _)| of == node).map(|(_, agent)| agent);
            let mut own = own.filter(|agent| agent.created >= created);
            let long = |agent: &Agent| {
                agent.running.is_some_and(|(_, since)| now.duration_since(since) >= UNREADY)
            };
            match own.clone().any(|agent| agent.ready) {
                true => Some(Why::Ready),
                false => own.any(long).then_some(Why::Running),
            }
        };
        let due =
            self.tainted.iter_mut().filter(|(_, it)| it.after.is_some_and(|after| after <= now));
        let due = due.filter_map(|(node, tainted)| {
            let why = why(node, tainted.created)?;
            Some((node, tainted, why))
        });
        // The one that has waited longest, so that nodes whose removal fails hold up no other.
        let (node, tainted, why) = due.min_by_key(|(_, tainted, _)| tainted.after)?;
        tainted.after = None;
        Some((node.clone(), tainted.taints.clone(), why))
    }

    pub(super) fn removed(&mut self, node: &str) {
        self.tainted.remove(node);
    }

    /// Tries a node again later, each time after twice as long.
    pub(super) fn failed(&mut self, node: &str, now: Instant) {
        if let Some(tainted) = self.tainted.get_mut(node) {
            let wait = RETRY * 2_u32.pow(tainted.failures.min(5));
            tainted.failures += 1;
            tainted.after.get_or_insert(now + wait);
        }
    }

    /// How many nodes have the taint, and how long the first of them.
    pub(super) fn waiting(&self, now: Instant) -> (usize, Duration) {
        let oldest = self.tainted.values().map(|tainted| now.duration_since(tainted.since)).max();
        (self.tainted.len(), oldest.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
