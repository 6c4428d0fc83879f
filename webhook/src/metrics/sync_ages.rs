//! How long ago each watch reported an event, computed at the scrape.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};

use super::labels::{KindLabels, LabelValue, Watch};
use crate::mutex::lock;

/// When each watch reported its last event. Clones share the times.
#[derive(Clone, Debug, Default)]
pub(crate) struct SyncAges(Arc<Mutex<BTreeMap<Watch, Timestamp>>>);

impl SyncAges {
    pub(super) fn record(&self, watch: Watch, now: Timestamp) {
        lock(&self.0).insert(watch, now);
    }

    /// Seconds since each watch's last event. A watch without events has no entry, and its series
    /// is absent.
    fn at(&self, now: Timestamp) -> Vec<(Watch, i64)> {
        let times = lock(&self.0);
        let age = |at: &Timestamp| now.as_second().saturating_sub(at.as_second()).max(0);
        times.iter().map(|(watch, at)| (*watch, age(at))).collect()
    }
}

impl Collector for SyncAges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = "podrole_webhook_sync_age_seconds";
        let help = "Seconds since the last event of a watch; it grows while nothing changes";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (watch, seconds) in self.at(podrole_runtime::clock::now()) {
            let labels = KindLabels { kind: LabelValue(watch.as_str()) };
            ConstGauge::new(seconds).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn an_age_counts_from_the_last_event() {
        let (ages, now) = (SyncAges::default(), podrole_runtime::clock::now());
        assert_eq!(ages.at(now), []);
        ages.record(Watch::Namespaces, now - SignedDuration::from_secs(90));
        ages.record(Watch::Namespaces, now - SignedDuration::from_secs(30));
        assert_eq!(ages.at(now), [(Watch::Namespaces, 30)]);
    }
}
