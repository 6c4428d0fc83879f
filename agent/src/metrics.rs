//! What is counted. Labels are words of ours, never a caller's; identities are few and bounded.

mod ends;

use std::time::Duration;

use podrole_identity::Exchange as Kind;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

pub use ends::Ends;

/// The outcome of a request that got credentials.
pub(crate) const OK: &str = "ok";

/// From a hit's half millisecond to the deadline.
const SECONDS: [f64; 9] = [0.000_25, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 0.8];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Upstream {
    exchange: &'static str,
    outcome: &'static str,
}

/// The agent's counters. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Outcome, Counter>,
    latency: Histogram,
    upstream: Family<Upstream, Counter>,
    refreshes: Family<Outcome, Counter>,
    hits: Counter,
    misses: Counter,
    foreign_peers: Counter,
    missed_pods: Counter,
    source_errors: Family<Source, Gauge>,
    cached: Gauge,
    cached_bytes: Gauge,
    /// The commonest of `requests`, found before it is needed.
    ok: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::<Outcome, Counter>::default();
        Self {
            ok: requests.get_or_create_owned(&Outcome { outcome: OK }),
            requests,
            latency: Histogram::new(SECONDS),
            upstream: Family::default(),
            refreshes: Family::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            foreign_peers: Counter::default(),
            missed_pods: Counter::default(),
            source_errors: Family::default(),
            cached: Gauge::default(),
            cached_bytes: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Adds the counters to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        let mut add = |name: &str, help: &str, family: &Family<Outcome, Counter>| {
            registry.register(name, help, family.clone());
        };
        add("podrole_requests", "Requests for credentials by outcome", &self.requests);
        add("podrole_refreshes", "Refreshes ahead of need by what became of them", &self.refreshes);
        let mut add = |name: &str, help: &str, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        add("podrole_cache_hits", "Requests answered from memory", &self.hits);
        add("podrole_cache_misses", "Requests that waited for AWS", &self.misses);
        add(
            "podrole_foreign_peers",
            "Tokens from another address than the pod's",
            &self.foreign_peers,
        );
        add(
            "podrole_pods_not_injected",
            "Pods of this node that should have been given an identity and were not",
            &self.missed_pods,
        );
        let help = "Whether the newest content of a source cannot be used; the log says why";
        registry.register("podrole_agent_source_errors", help, self.source_errors.clone());
        let help = "Calls to AWS by exchange and outcome";
        registry.register("podrole_upstream_calls", help, self.upstream.clone());
        registry.register("podrole_cache_entries", "Sessions in memory", self.cached.clone());
        let help = "What the sessions in memory weigh";
        registry.register("podrole_cache_bytes", help, self.cached_bytes.clone());
        let help = "From a request's head to its answer, in seconds";
        registry.register("podrole_request_seconds", help, self.latency.clone());
        podrole_runtime::build::register(registry, "agent");
    }

    pub(crate) fn request(&self, outcome: &'static str, took: Duration) {
        if outcome == OK {
            self.ok.inc();
        } else {
            self.requests.get_or_create(&Outcome { outcome }).inc();
        }
        self.latency.observe(took.as_secs_f64());
    }

    pub(crate) fn upstream(&self, exchange: Kind, outcome: &'static str) {
        let exchange = match exchange {
            Kind::WebIdentity => "web-identity",
            Kind::AssumeRole => "assume-role",
            Kind::EksAuth => "eks-auth",
        };
        self.upstream.get_or_create(&Upstream { exchange, outcome }).inc();
    }

    pub(crate) fn refresh(&self, outcome: &'static str) {
        self.refreshes.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn hit(&self, hit: bool) {
        if hit { &self.hits } else { &self.misses }.inc();
    }

    pub(crate) fn foreign_peer(&self) {
        self.foreign_peers.inc();
    }

    pub(crate) fn missed_pod(&self) {
        self.missed_pods.inc();
    }

    /// The gauge of the association list's errors, for the part that follows the list.
    pub(crate) fn list_errors(&self) -> Gauge {
        self.source_errors.get_or_create_owned(&Source { source: "list_file" })
    }

    pub(crate) fn cached(&self, entries: usize, bytes: usize) {
        self.cached.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.cached_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
