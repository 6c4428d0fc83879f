//! The metrics of healing.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// What healing reports.
#[derive(Clone, Debug, Default)]
pub(in crate::controller) struct HealingMetrics {
    evictions: Family<ResultLabels, Counter>,
    pub(super) missed: Gauge,
    pub(super) stopped: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

impl HealingMetrics {
    pub(in crate::controller) fn register(&self, registry: &mut Registry) {
        registry.register(
            "podrole_controller_evictions",
            "Evictions of missed pods in namespaces labelled podrole.io/heal=evict, by result: evicted, refused (by a PodDisruptionBudget) or failed",
            self.evictions.clone(),
        );
        registry.register(
            "podrole_controller_missed_pods",
            "Missed pods of namespaces labelled podrole.io/heal=evict",
            self.missed.clone(),
        );
        registry.register(
            "podrole_controller_healing_stopped",
            "Workloads that are left alone for a day, because the pod that replaced an evicted one was no better",
            self.stopped.clone(),
        );
    }

    pub(super) fn evicted(&self, result: &'static str) {
        self.evictions.get_or_create(&ResultLabels { result }).inc();
    }
}
