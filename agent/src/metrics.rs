//! What is counted. Labels are words of ours, never a caller's.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// The agent's counters. Clones count together.
#[derive(Clone, Default)]
pub struct Metrics {
    requests: Family<Outcome, Counter>,
    upstream: Family<Outcome, Counter>,
    hits: Counter,
    misses: Counter,
    cached: Gauge,
}

impl Metrics {
    /// Adds the counters to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        let mut add = |name: &str, help: &str, family: &Family<Outcome, Counter>| {
            registry.register(name, help, family.clone());
        };
        add("podrole_requests", "Requests for credentials by outcome", &self.requests);
        add("podrole_upstream_calls", "Calls to AWS by outcome", &self.upstream);
        registry.register("podrole_cache_hits", "Requests answered from memory", self.hits.clone());
        registry.register(
            "podrole_cache_misses",
            "Requests that waited for AWS",
            self.misses.clone(),
        );
        registry.register("podrole_cache_entries", "Sessions in memory", self.cached.clone());
    }

    pub(crate) fn request(&self, outcome: &'static str) {
        self.requests.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn upstream(&self, outcome: &'static str) {
        self.upstream.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn hit(&self, hit: bool) {
        if hit { &self.hits } else { &self.misses }.inc();
    }

    pub(crate) fn cached(&self, entries: u64) {
        self.cached.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }
}
