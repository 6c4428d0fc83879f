//! How long ago each watch has told anything, as it is at the scrape.

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

use super::{
    Watch,
    labels::{KindLabels, Word},
};
use crate::mutex::lock;

/// When each watch was heard of last. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ages(Arc<Mutex<BTreeMap<Watch, Timestamp>>>);

impl Ages {
    pub(super) fn heard(&self, watch: Watch, now: Timestamp) {
        lock(&self.0).insert(watch, now);
    }

    /// Seconds since each watch told anything; none for one that has never.
    fn at(&self, now: Timestamp) -> Vec<(Watch, i64)> {
        let heard = lock(&self.0);
        let age = |at: &Timestamp| now.as_second().saturating_sub(at.as_second()).max(0);
        heard.iter().map(|(watch, at)| (*watch, age(at))).collect()
    }
}

impl Collector for Ages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = "podrole_webhook_sync_age_seconds";
        let help = "Seconds since a watch told anything; it grows while nothing changes";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (watch, seconds) in self.at(podrole_runtime::clock::now()) {
            let labels = KindLabels { kind: Word(watch.as_str()) };
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
    fn an_age_counts_from_what_was_told_last() {
        let (ages, now) = (Ages::default(), podrole_runtime::clock::now());
        assert_eq!(ages.at(now), []);
        ages.heard(Watch::Namespaces, now - SignedDuration::from_secs(90));
        ages.heard(Watch::Namespaces, now - SignedDuration::from_secs(30));
        assert_eq!(ages.at(now), [(Watch::Namespaces, 30)]);
    }
}
