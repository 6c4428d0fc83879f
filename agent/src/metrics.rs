//! The agent's metrics. Label values are constants of this crate, never a caller's text, so that no
//! caller can create time series; ServiceAccounts appear in a bounded number.

mod missed_pods;
mod session_expiry;

use std::time::Duration;

use podrole_identity::Exchange;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

pub use missed_pods::MissedPodsGauge;
pub use session_expiry::SessionExpiry;

/// The outcome of a request that got credentials.
pub(crate) const OK: &str = "ok";

/// From a cache hit to the deadline of 0.9 s.
const SECONDS: [f64; 9] = [0.000_25, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 0.9];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// A source of roles that is followed whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    ListFile,
    Associations,
    Patterns,
    Guardrails,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExchangeLabels {
    exchange: &'static str,
    outcome: &'static str,
}

/// The agent's counters and gauges. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<OutcomeLabels, Counter>,
    latency: Histogram,
    exchange_calls: Family<ExchangeLabels, Counter>,
    refreshes: Family<OutcomeLabels, Counter>,
    hits: Counter,
    misses: Counter,
    foreign_peers: Counter,
    held_requests: Gauge,
    clock_skew: Gauge,
    restarts: Counter,
    pods_not_injected: Counter,
    source_errors: Family<SourceLabels, Gauge>,
    cache_entries: Gauge,
    cache_bytes: Gauge,
    /// The member of `requests` for the outcome `ok`, so that a cache hit needs no lookup.
    ok: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::<OutcomeLabels, Counter>::default();
        Self {
            ok: requests.get_or_create_owned(&OutcomeLabels { outcome: OK }),
            requests,
            latency: Histogram::new(SECONDS),
            exchange_calls: Family::default(),
            refreshes: Family::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            foreign_peers: Counter::default(),
            held_requests: Gauge::default(),
            clock_skew: Gauge::default(),
            restarts: Counter::default(),
            pods_not_injected: Counter::default(),
            source_errors: Family::default(),
            cache_entries: Gauge::default(),
            cache_bytes: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Registers all metrics, and which build this is.
    pub fn register(&self, registry: &mut Registry) {
        let mut add = |name: &str, help: &str, family: &Family<OutcomeLabels, Counter>| {
            registry.register(name, help, family.clone());
        };
        add("podrole_agent_requests", "Requests for credentials, by outcome", &self.requests);
        add("podrole_agent_refreshes", "Refreshes before expiry, by outcome", &self.refreshes);
        let mut add = |name: &str, help: &str, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        add("podrole_agent_cache_hits", "Requests answered from the cache", &self.hits);
        add("podrole_agent_cache_misses", "Requests that waited for AWS", &self.misses);
        add(
            "podrole_agent_foreign_peers",
            "Requests with a token from another address than its pod's",
            &self.foreign_peers,
        );
        add(
            "podrole_agent_pods_not_injected",
            "Pods on this node that should have a credential provider and have none",
            &self.pods_not_injected,
        );
        add(
            "podrole_agent_restarts",
            "Agents that `podrole-node run` started in this pod after one that died or hung",
            &self.restarts,
        );
        let help = "Requests that wait for another attempt instead of getting 503";
        registry.register("podrole_agent_held_requests", help, self.held_requests.clone());
        let help = "How many seconds AWS's clock is ahead of this node's; 0 below 10 s";
        registry.register("podrole_agent_clock_skew_seconds", help, self.clock_skew.clone());
        let help = "1 while the newest content of a source cannot be used; the log says why";
        registry.register("podrole_agent_source_errors", help, self.source_errors.clone());
        let help = "Fetches of credentials from AWS, by exchange and outcome";
        registry.register("podrole_agent_exchange_calls", help, self.exchange_calls.clone());
        let help = "Sessions in the credential cache";
        registry.register("podrole_agent_cache_entries", help, self.cache_entries.clone());
        let help = "Approximate size of the credential cache in bytes";
        registry.register("podrole_agent_cache_bytes", help, self.cache_bytes.clone());
        let help = "Time from a request's head to its answer in seconds";
        registry.register("podrole_agent_request_duration_seconds", help, self.latency.clone());
        podrole_runtime::build::register(registry, "agent");
    }

    pub(crate) fn request(&self, outcome: &'static str, took: Duration) {
        if outcome == OK {
            self.ok.inc();
        } else {
            self.requests.get_or_create(&OutcomeLabels { outcome }).inc();
        }
        self.latency.observe(took.as_secs_f64());
    }

    pub(crate) fn exchange_call(&self, exchange: Exchange, outcome: &'static str) {
        let exchange = match exchange {
            Exchange::WebIdentity => "web_identity",
            Exchange::AssumeRole => "assume_role",
            Exchange::EksAuth => "eks_auth",
        };
        self.exchange_calls.get_or_create(&ExchangeLabels { exchange, outcome }).inc();
    }

    pub(crate) fn refresh(&self, outcome: &'static str) {
        self.refreshes.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn cache_lookup(&self, hit: bool) {
        if hit { &self.hits } else { &self.misses }.inc();
    }

    pub(crate) fn foreign_peer(&self) {
        self.foreign_peers.inc();
    }

    /// Sets how often the parent process has started an agent again. Called once.
    pub(crate) fn set_restarts(&self, restarts: u64) {
        self.restarts.inc_by(restarts);
    }

    /// The gauge of held requests, for the part that holds them.
    pub(crate) fn held_requests(&self) -> Gauge {
        self.held_requests.clone()
    }

    /// The gauge of the clocks' difference, for the part that measures it.
    pub(crate) fn clock_skew(&self) -> Gauge {
        self.clock_skew.clone()
    }

    pub(crate) fn pod_not_injected(&self) {
        self.pods_not_injected.inc();
    }

    /// The gauge of a source's errors, for the part that follows it.
    pub(crate) fn source_errors(&self, source: Source) -> Gauge {
        let source = match source {
            Source::ListFile => "list_file",
            Source::Associations => "associations",
            Source::Patterns => "patterns",
            Source::Guardrails => "guardrails",
        };
        self.source_errors.get_or_create_owned(&SourceLabels { source })
    }

    pub(crate) fn cache_size(&self, entries: usize, bytes: usize) {
        self.cache_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
