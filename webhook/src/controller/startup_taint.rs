//! Removes the startup taint from nodes whose agent is ready. Nodes that start with the taint get no pods
//! before that: some SDKs give up within 54 ms if no agent listens yet.
//!
//! Only the replica with the Lease does this. It never adds a taint, and removes at most
//! [`PER_SECOND`] of them, so that a cluster that starts does not overload its API server.

mod metrics;
mod nodes;
mod objects;
mod patch;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::StreamExt as _;
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use podrole_runtime::error_text::with_root;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

pub(super) use metrics::TaintMetrics;
use nodes::{Nodes, Why};
use objects::{AgentPod, TaintedNode};

/// How many taints are removed in a second.
const PER_SECOND: u64 = 20;
/// How many removals wait for the API server at once.
const AT_ONCE: usize = 8;
/// How long the API server may take for one.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the Lease is looked at.
const POLL: Duration = Duration::from_secs(1);

/// Which pods are agents.
#[derive(Clone, Debug)]
pub(super) struct Agents {
    /// Their namespace.
    pub(super) namespace: String,
    /// Their labels, as a selector.
    pub(super) selector: String,
}

/// Removes taints whenever this replica `leads`. Never returns.
pub(super) async fn remove_startup_taints(
    client: Client,
    agents: Agents,
    leads: Arc<AtomicBool>,
    metrics: TaintMetrics,
) {
    loop {
        if leads.load(Relaxed) {
            tenure(&client, &agents, &leads, &metrics).await;
            metrics.observe(&Nodes::default(), Instant::now());
        }
        sleep(POLL).await;
    }
}

/// Works until the Lease is lost.
async fn tenure(client: &Client, agents: &Agents, leads: &AtomicBool, metrics: &TaintMetrics) {
    // Nodes and pods are large: a page of 50 is under a megabyte.
    let pages = watcher::Config::default().page_size(50);
    let of_agents = pages.clone().labels(&agents.selector);
    let all = watcher(Api::<TaintedNode>::all(client.clone()), pages).default_backoff();
    let pods = Api::<AgentPod>::namespaced(client.clone(), &agents.namespace);
    let (mut all, mut pods) = (pin!(all), pin!(watcher(pods, of_agents).default_backoff()));
    let mut nodes = Nodes::default();
    let mut removals = JoinSet::<(String, Why, Result<(), String>)>::new();
    let mut ticks = interval(Duration::from_millis(1000 / PER_SECOND));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while leads.load(Relaxed) {
        tokio::select! {
            Some(event) = all.next() => match event {
                Ok(event) => nodes.node_event(&event, Instant::now()),
                Err(error) => interrupted("nodes", &error),
            },
            Some(event) = pods.next() => match event {
                Ok(event) => nodes.pod_event(&event, Instant::now()),
                Err(error) => interrupted("agents", &error),
            },
            Some(removed) = removals.join_next() => {
                let Ok((node, why, result)) = removed else { continue };
                match result {
                    Ok(()) => {
                        metrics.removed(why);
                        tracing::info!(node, reason = why.as_str(), "removed the startup taint");
                        nodes.removed(&node);
                    }
                    Err(error) => {
                        tracing::warn!(node, error, "could not remove the startup taint; retrying");
                        nodes.failed(&node, Instant::now());
                    }
                }
            }
            _ = ticks.tick() => {
                let now = Instant::now();
                metrics.observe(&nodes, now);
                if removals.len() < AT_ONCE && let Some((node, taints, why)) = nodes.next(now) {
                    let api = Api::<TaintedNode>::all(client.clone());
                    removals.spawn(async move {
                        let removal = timeout(PATIENCE, patch::remove(&api, &node, &taints)).await;
                        (node, why, removal.unwrap_or_else(|_| Err("no answer in time".to_owned())))
                    });
                }
            }
        }
    }
}

fn interrupted(watch: &str, error: &watcher::Error) {
    let error = with_root(error);
    tracing::warn!(watch, error, "a watch was interrupted; retrying with backoff");
}
