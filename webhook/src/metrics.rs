//! The webhook's metrics.

mod labels;
mod sync_ages;

use std::time::Duration;

use podrole_identity::CredentialProvider;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use labels::{KindLabels, LabelValue, ResultLabels, ReviewLabels, RouteLabels, SourceLabels};
pub(crate) use labels::{LiveRead, Route, Source, Watch, provider_label};
use sync_ages::SyncAges;

use crate::{Outcome, Reason};

/// Buckets in seconds. A review takes a tenth of a millisecond from the cache and a few
/// milliseconds with a live read; after half of the API server's timeout it is given up.
const SECONDS: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.5, 3.0];

/// The webhook's metrics. Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    reviews: Family<ReviewLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    live_reads: Family<ResultLabels, Counter>,
    source_errors: Family<SourceLabels, Gauge>,
    cache: Family<KindLabels, Gauge>,
    interruptions: Family<KindLabels, Counter>,
    conflicts: Family<KindLabels, Gauge>,
    sync_ages: SyncAges,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            reviews: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            live_reads: Family::default(),
            source_errors: Family::default(),
            cache: Family::default(),
            interruptions: Family::default(),
            conflicts: Family::default(),
            sync_ages: SyncAges::default(),
        };
        // Set from the start, so that an alert can tell "none" from "not measured".
        metrics.conflicts(0, 0);
        metrics
    }
}

impl Metrics {
    /// Registers the metrics under the prefix `podrole_webhook_`.
    pub fn register(&self, registry: &mut Registry) {
        let mut add = Prefixed(registry);
        let help = "Admission reviews by route, credential provider, outcome and reason";
        add.one("reviews", help, &self.reviews);
        let help = "Seconds from a review's arrival to its answer, live reads included";
        add.one("review_duration_seconds", help, &self.durations);
        let help = "Live reads of ServiceAccounts for which the watch had reported no role, and of \
                    associations that it had not reported, by result";
        add.one("live_reads", help, &self.live_reads);
        let help = "Invalid entries in the association list or the ConfigMap of roles, and 1 for \
                    each of podrole's kinds that cannot be watched; see the log";
        add.one("source_errors", help, &self.source_errors);
        let help = "Cached objects: ServiceAccounts with and without annotations, Namespaces, \
                    associations";
        add.one("cache_objects", help, &self.cache);
        let help = "Interruptions of a watch, each followed by a retry";
        add.one("watch_interruptions", help, &self.interruptions);
        let help = "Other webhooks that inject into pods of the same namespaces; see the log";
        add.one("conflicts", help, &self.conflicts);
        registry.register_collector(Box::new(self.sync_ages.clone()));
    }

    pub(crate) fn reviewed(
        &self,
        route: Route,
        provider: Option<CredentialProvider>,
        outcome: &Outcome,
    ) {
        self.count_review(route, provider, outcome.as_str(), outcome.reason());
    }

    /// Counts a request that was not an AdmissionReview.
    pub(crate) fn rejected(&self, route: Route) {
        self.count_review(route, None, "rejected", Reason::Unreadable);
    }

    fn count_review(
        &self,
        route: Route,
        provider: Option<CredentialProvider>,
        outcome: &'static str,
        reason: Reason,
    ) {
        let labels = ReviewLabels {
            route: LabelValue(route.as_str()),
            provider: LabelValue(provider.map_or("none", provider_label)),
            outcome: LabelValue(outcome),
            reason: LabelValue(reason.as_str()),
        };
        self.reviews.get_or_create(&labels).inc();
    }

    pub(crate) fn took(&self, route: Route, time: Duration) {
        let labels = RouteLabels { route: LabelValue(route.as_str()) };
        self.durations.get_or_create(&labels).observe(time.as_secs_f64());
    }

    pub(crate) fn live_read(&self, result: LiveRead) {
        let result = LabelValue(result.as_str());
        self.live_reads.get_or_create(&ResultLabels { result }).inc();
    }

    pub(crate) fn source_errors(&self, source: Source, errors: usize) {
        let source = LabelValue(source.as_str());
        self.source_errors.get_or_create(&SourceLabels { source }).set(whole(errors));
    }

    /// The gauge of a source's errors, for the part that follows the source.
    pub(crate) fn source_errors_gauge(&self, source: Source) -> Gauge {
        let source = LabelValue(source.as_str());
        self.source_errors.get_or_create(&SourceLabels { source }).clone()
    }

    /// Sets how many objects of one kind the cache holds.
    pub(crate) fn cached(&self, kind: &'static str, objects: usize) {
        self.cache.get_or_create(&KindLabels { kind: LabelValue(kind) }).set(whole(objects));
    }

    /// Records that a watch has reported an event just now.
    pub(crate) fn watch_event(&self, watch: Watch) {
        self.sync_ages.record(watch, podrole_runtime::clock::now());
    }

    pub(crate) fn watch_interrupted(&self, watch: Watch) {
        let kind = LabelValue(watch.as_str());
        self.interruptions.get_or_create(&KindLabels { kind }).inc();
    }

    /// Sets how many other webhooks inject into our pods.
    pub(crate) fn conflicts(&self, eks: usize, podrole: usize) {
        for (kind, count) in [("eks", eks), ("podrole", podrole)] {
            self.conflicts.get_or_create(&KindLabels { kind: LabelValue(kind) }).set(whole(count));
        }
    }
}

/// Registers metrics under their common prefix.
struct Prefixed<'a>(&'a mut Registry);

impl Prefixed<'_> {
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
