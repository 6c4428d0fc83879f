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

/// Collects the expiries of an agent's cached sessions: of each ServiceAccount by name, or only the soonest. Every pod that
/// reaches the port can read them.
pub struct SessionExpiry {
    agent: Arc<Agent>,
    clock: Clock,
    identities: bool,
}

impl SessionExpiry {
    /// The expiries of this agent's sessions; `identities` names their ServiceAccounts.
    #[must_use]
    pub fn of(agent: &Arc<Agent>, clock: Clock, identities: bool) -> Self {
        Self { agent: Arc::clone(agent), clock, identities }
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
        let most = if self.identities { MAX_SERVICE_ACCOUNTS } else { 1 };
        for (service_account, expires) in self.agent.cache().expiries(most) {
            let left = ConstGauge::new(expires.duration_since(now).as_secs());
            if self.identities {
                let labels = [("service_account", service_account.to_string())];
                left.encode(metric.encode_family(&labels)?)?;
            } else {
                left.encode(metric)?;
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{fixture::RSA, full_path::world};
    use prometheus_client::{encoding::text::encode, registry::Registry};

    #[tokio::test]
    async fn service_accounts_are_named_only_on_request() {
        let world = world().await;
        let (status, body) = world.ask(&RSA.token("RS256", &world.claims())).await;
        assert_eq!(status, 200, "{body}");
        for (identities, label) in [(true, r#"{service_account="shop/app"}"#), (false, "")] {
            let mut registry = Registry::default();
            let expiry = SessionExpiry::of(&world.agent, Clock::default(), identities);
            registry.register_collector(Box::new(expiry));
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            let line = format!("podrole_agent_session_expires_in_seconds{label} ");
            assert_eq!(text.lines().filter(|it| it.starts_with(&line)).count(), 1, "{text}");
            assert_eq!(text.contains("shop"), identities, "{text}");
        }
    }
}
