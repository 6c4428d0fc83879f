//! Seconds until sessions expire, by ServiceAccount, computed at each scrape.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
};

use crate::{agent::Agent, clock::Clock};

/// How many ServiceAccounts are exported: those whose sessions expire first.
const MAX_SERVICE_ACCOUNTS: usize = 100;

/// Collects the expiries of an agent's cached sessions.
pub struct SessionExpiry {
    agent: Arc<Agent>,
    clock: Clock,
}

impl SessionExpiry {
    /// The expiries of this agent's sessions.
    #[must_use]
    pub fn of(agent: &Arc<Agent>, clock: Clock) -> Self {
        Self { agent: Arc::clone(agent), clock }
    }
}

impl fmt::Debug for SessionExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionExpiry")
    }
}

impl Collector for SessionExpiry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.clock.now();
        let mut metric = encoder.encode_descriptor(
            "podrole_agent_session_expires_in_seconds",
            "Seconds until the next cached session of a ServiceAccount expires",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (service_account, expires) in self.agent.cache().expiries(MAX_SERVICE_ACCOUNTS) {
            let labels = [("service_account", service_account.to_string())];
            let left = ConstGauge::new(expires.duration_since(now).as_secs());
            left.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
