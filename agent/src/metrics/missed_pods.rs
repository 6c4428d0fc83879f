//! How many pods are missed, counted at each scrape.

use std::{fmt, sync::Arc};

use podrole_identity::MissedReason;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
};

use crate::missed_pods::MissedPods;

/// Collects the missed pods by reason; with `identities` also by namespace. Every pod that reaches the port can read them.
#[derive(Debug)]
pub struct MissedPodsGauge {
    pods: Arc<MissedPods>,
    identities: bool,
}

impl MissedPodsGauge {
    /// The gauge of these pods; `identities` names their namespaces.
    #[must_use]
    pub fn of(pods: Arc<MissedPods>, identities: bool) -> Self {
        Self { pods, identities }
    }
}

impl Collector for MissedPodsGauge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "podrole_agent_missed_pods",
            "Pods on this node that have no credential provider and would get one if they were created now",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        let mut counts = self.pods.counts(self.identities);
        if !self.identities {
            // A value of 0 shows that pods are counted.
            for reason in MissedReason::ALL {
                counts.entry((reason, None)).or_insert(0);
            }
        }
        for ((reason, namespace), count) in counts {
            let mut labels = vec![("reason", reason.as_str().to_owned())];
            labels.extend(namespace.map(|it| [("namespace", it)]).into_iter().flatten());
            ConstGauge::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::{encoding::text::encode, registry::Registry};
    use tokio::time::Instant;

    use super::*;
    use crate::{
        missed_pods::MissedIntervals,
        node::{AddedPod, PodProvider},
    };

    #[tokio::test]
    async fn namespaces_are_named_only_on_request() {
        let pods = Arc::new(MissedPods::new(MissedIntervals::default()));
        let lines = |identities| {
            let mut registry = Registry::default();
            let gauge = MissedPodsGauge::of(Arc::clone(&pods), identities);
            registry.register_collector(Box::new(gauge));
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            let name = "podrole_agent_missed_pods";
            let values = text.lines().filter_map(|line| line.strip_prefix(name));
            values.map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(lines(true).is_empty());
        let pod = AddedPod {
            name: "app-1".to_owned(),
            uid: "1".to_owned(),
            service_account: "shop/app".parse().unwrap(),
            provider: PodProvider::Other,
            created: None,
        };
        pods.insert(&pod, Duration::ZERO, Instant::now());
        pods.judged("1", Some(MissedReason::OlderThanLabel), Instant::now());
        assert_eq!(lines(true), [r#"{reason="older_than_label",namespace="shop"} 1"#]);
        assert_eq!(
            lines(false),
            [
                r#"{reason="identity_came_later"} 0"#,
                r#"{reason="older_than_label"} 1"#,
                r#"{reason="webhook_was_away"} 0"#
            ]
        );
    }
}
