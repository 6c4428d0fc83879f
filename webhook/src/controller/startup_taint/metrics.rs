//! What is counted of startup taints.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::time::Instant;

use super::nodes::{Nodes, Why};

/// The metrics of startup taints. Clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::controller) struct TaintMetrics {
    nodes: Gauge<u64, AtomicU64>,
    oldest_seconds: Gauge<u64, AtomicU64>,
    removed: Family<ReasonLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl TaintMetrics {
    pub(in crate::controller) fn register(&self, registry: &mut Registry) {
        registry.register(
            "podrole_controller_tainted_nodes",
            "Nodes with the taint podrole.io/agent-not-ready",
            self.nodes.clone(),
        );
        registry.register(
            "podrole_controller_oldest_taint_seconds",
            "How long the first of these nodes has had the taint, in seconds",
            self.oldest_seconds.clone(),
        );
        registry.register(
            "podrole_controller_taints_removed",
            "Taints removed because the agent was ready, or had run for a minute",
            self.removed.clone(),
        );
    }

    /// Counts a removal.
    pub(super) fn removed(&self, why: Why) {
        self.removed.get_or_create(&ReasonLabels { reason: why.as_str() }).inc();
    }

    /// Notes the nodes that wait.
    pub(super) fn observe(&self, nodes: &Nodes, now: Instant) {
        let (waiting, oldest) = nodes.waiting(now);
        self.nodes.set(waiting.try_into().unwrap_or(u64::MAX));
        self.oldest_seconds.set(oldest.as_secs());
    }
}
