//! What is counted and measured.

mod labels;
mod sync_ages;

use std::time::Duration;

use podrole_identity::CredentialProvider;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use labels::{KindLabels, ResultLabels, ReviewLabels, RouteLabels, SourceLabels, Word};
pub(crate) use labels::{LiveRead, Route, Source, Watch};
pub(crate) use sync_ages::Ages;

use crate::{Outcome, Reason};

/// A review takes a tenth of a millisecond, or a live read's time, or the API server gives up.
const SECONDS: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.5, 3.0];

/// The webhook's counters. Clones count into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    reviews: Family<ReviewLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    live_reads: Family<ResultLabels, Counter>,
    source_problems: Family<SourceLabels, Gauge>,
    cache: Family<KindLabels, Gauge>,
    interruptions: Family<KindLabels, Counter>,
    foreign: Family<KindLabels, Gauge>,
    ages: Ages,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            reviews: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            live_reads: Family::default(),
            source_problems: Family::default(),
            cache: Family::default(),
            interruptions: Family::default(),
            foreign: Family::default(),
            ages: Ages::default(),
        };
        metrics.foreign_webhooks(0, 0);
        metrics
    }
}

impl Metrics {
    /// Adds all of it to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        let mut add = Adding(registry);
        add.one("reviews", "Reviews by path, way, what became of the pod and why", &self.reviews);
        let help = "From a review's arrival to its answer, live reads included";
        add.one("review_duration_seconds", help, &self.durations);
        let help = "ServiceAccounts asked of the API server because the watch had no role for them";
        add.one("live_reads", help, &self.live_reads);
        let help = "What is wrong in the association list or the ConfigMap; the log says what";
        add.one("source_problems", help, &self.source_problems);
        let help =
            "Objects known: ServiceAccounts that say something, those that do not, Namespaces";
        add.one("cache_objects", help, &self.cache);
        let help = "Watches that broke off and were taken up again";
        add.one("watch_interruptions", help, &self.interruptions);
        let help = "Others that inject into pods of our namespaces; the log names them";
        registry.register("podrole_foreign_webhooks", help, self.foreign.clone());
        registry.register_collector(Box::new(self.ages.clone()));
    }

    pub(crate) fn reviewed(
        &self,
        route: Route,
        path: Option<CredentialProvider>,
        outcome: &Outcome,
    ) {
        self.count_review(route, path, outcome.as_str(), outcome.reason());
    }

    /// Counts what was no review at all.
    pub(crate) fn rejected(&self, route: Route) {
        self.count_review(route, None, "rejected", Reason::Unreadable);
    }

    fn count_review(
        &self,
        route: Route,
        path: Option<CredentialProvider>,
        outcome: &'static str,
        reason: Reason,
    ) {
        let labels = ReviewLabels {
            route: Word(route.as_str()),
            path: Word(path.map_or("none", CredentialProvider::as_str)),
            outcome: Word(outcome),
            reason: Word(reason.as_str()),
        };
        self.reviews.get_or_create(&labels).inc();
    }

    pub(crate) fn took(&self, route: Route, time: Duration) {
        let labels = RouteLabels { route: Word(route.as_str()) };
        self.durations.get_or_create(&labels).observe(time.as_secs_f64());
    }

    pub(crate) fn live_read(&self, result: LiveRead) {
        let result = Word(result.as_str());
        self.live_reads.get_or_create(&ResultLabels { result }).inc();
    }

    pub(crate) fn source_problems(&self, source: Source, problems: usize) {
        let source = Word(source.as_str());
        self.source_problems.get_or_create(&SourceLabels { source }).set(whole(problems));
    }

    /// What the cache holds of one kind.
    pub(crate) fn cached(&self, kind: &'static str, objects: usize) {
        self.cache.get_or_create(&KindLabels { kind: Word(kind) }).set(whole(objects));
    }

    /// A watch has told something, or its list is whole.
    pub(crate) fn heard(&self, watch: Watch) {
        self.ages.heard(watch, podrole_runtime::clock::now());
    }

    pub(crate) fn interrupted(&self, watch: Watch) {
        let kind = Word(watch.as_str());
        self.interruptions.get_or_create(&KindLabels { kind }).inc();
    }

    /// How many others inject into our pods.
    pub(crate) fn foreign_webhooks(&self, eks: usize, podrole: usize) {
        for (kind, count) in [("eks", eks), ("podrole", podrole)] {
            self.foreign.get_or_create(&KindLabels { kind: Word(kind) }).set(whole(count));
        }
    }
}

/// Gives the metrics their common first name.
struct Adding<'a>(&'a mut Registry);

impl Adding<'_> {
    fn one<M>(&mut self, name: &str, help: &str, metric: &M)
    where
        M: prometheus_client::registry::Metric + Clone,
    {
        self.0.register(format!("podrole_webhook_{name}"), help, metric.clone());
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
