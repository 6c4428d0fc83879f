//! Seconds until sessions end, by ServiceAccount: worked out when somebody looks.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
};

use crate::{agent::Agent, clock::Clock};

/// So many ServiceAccounts are shown, those whose sessions end first.
const MOST: usize = 100;

/// Looks at what an agent keeps.
pub struct Ends {
    agent: Arc<Agent>,
    clock: Clock,
}

impl Ends {
    /// The ends of this agent's sessions.
    #[must_use]
    pub fn of(agent: &Arc<Agent>, clock: Clock) -> Self {
        Self { agent: Arc::clone(agent), clock }
    }
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ends")
    }
}

impl Collector for Ends {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.clock.now();
        let mut metric = encoder.encode_descriptor(
            "podrole_session_ends_in_seconds",
            "Life left of the session that ends next, by ServiceAccount",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (account, end) in self.agent.keep().ends(MOST) {
            let labels = [("service_account", account.to_string())];
            let left = ConstGauge::new(end.duration_since(now).as_secs());
            left.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
