//! What is counted.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{Outcome, Reason};

/// The webhook's counters. Clones count into the same.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    reviews: Family<ReviewLabels, Counter>,
    live_reads: Family<LiveReadLabels, Counter>,
    source_problems: Family<SourceLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    outcome: Word,
    reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LiveReadLabels {
    result: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: Word,
}

/// A label's value: the word of an enum of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// What became of a live read of a ServiceAccount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveRead {
    /// It exists.
    Found,
    /// It does not exist.
    Missing,
    /// The API server gave no answer.
    Failed,
    /// It was not made, because too many were made already.
    OverBudget,
}

/// A source of identities that people write by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The association list file.
    Associations,
    /// The ConfigMap of roles.
    ConfigMap,
}

impl LiveRead {
    fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::OverBudget => "over_budget",
        }
    }
}

impl Metrics {
    /// Adds the counters to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "podrole_webhook_reviews",
            "Admission reviews by what became of the pod and why",
            self.reviews.clone(),
        );
        registry.register(
            "podrole_webhook_live_reads",
            "ServiceAccounts asked of the API server because the watch had no role for them",
            self.live_reads.clone(),
        );
        registry.register(
            "podrole_webhook_source_problems",
            "What is wrong in the association list or the ConfigMap just now; the log says what",
            self.source_problems.clone(),
        );
    }

    pub(crate) fn reviewed(&self, outcome: &Outcome) {
        self.count_review(outcome.as_str(), outcome.reason());
    }

    /// Counts what was no review at all.
    pub(crate) fn rejected(&self) {
        self.count_review("rejected", Reason::Unreadable);
    }

    fn count_review(&self, outcome: &'static str, reason: Reason) {
        let labels = ReviewLabels { outcome: Word(outcome), reason: Word(reason.as_str()) };
        self.reviews.get_or_create(&labels).inc();
    }

    pub(crate) fn live_read(&self, result: LiveRead) {
        let result = Word(result.as_str());
        self.live_reads.get_or_create(&LiveReadLabels { result }).inc();
    }

    pub(crate) fn source_problems(&self, source: Source, problems: usize) {
        let source = Word(match source {
            Source::Associations => "associations",
            Source::ConfigMap => "config_map",
        });
        let problems = i64::try_from(problems).unwrap_or(i64::MAX);
        self.source_problems.get_or_create(&SourceLabels { source }).set(problems);
    }
}
