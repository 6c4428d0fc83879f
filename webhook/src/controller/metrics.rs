//! The controller's metrics.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
    registry::Registry,
};

use super::{healing::HealingMetrics, object_status::StatusMetrics, startup_taint::TaintMetrics};

/// The metrics of a controller.
#[derive(Clone, Debug, Default)]
pub struct ControllerMetrics {
    active: Arc<AtomicBool>,
    taints: TaintMetrics,
    statuses: StatusMetrics,
    healing: HealingMetrics,
}

impl ControllerMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
        self.taints.register(registry);
        self.statuses.register(registry);
        self.healing.register(registry);
    }

    pub(super) fn taints(&self) -> TaintMetrics {
        self.taints.clone()
    }

    pub(super) fn statuses(&self) -> StatusMetrics {
        self.statuses.clone()
    }

    pub(super) fn healing(&self) -> HealingMetrics {
        self.healing.clone()
    }

    pub(super) fn active(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.active)
    }
}

impl Collector for ControllerMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let active = ConstGauge::new(i64::from(self.active.load(Relaxed)));
        let kind = active.metric_type();
        let name = "podrole_controller_active";
        let help = "1 while this replica holds the Lease and its last round succeeded";
        active.encode(encoder.encode_descriptor(name, help, None, kind)?)
    }
}
