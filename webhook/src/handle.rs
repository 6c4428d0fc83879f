//! One review from its bytes to its answer, with its log line and its metrics.

use std::time::Duration;

use podrole_identity::Injection;

use crate::{
    Outcome, Reason, ServiceAccounts, Webhook,
    metrics::Route,
    review::{Answer, Audit, BadReview, Review},
    validate,
    webhook::{Decision, unreadable},
};

/// What a review is for.
#[derive(Clone, Copy)]
enum ReviewKind {
    /// The decision on a pod.
    Pod(Injection),
    /// Warnings for the author of a ServiceAccount or workload.
    Warnings,
}

impl ReviewKind {
    fn route(self) -> Route {
        match self {
            Self::Pod(Injection::Enabled) => Route::Enabled,
            Self::Pod(Injection::Required) => Route::Required,
            Self::Warnings => Route::Validate,
        }
    }
}

/// Decides one review. This is the whole webhook without HTTP.
///
/// # Errors
/// If the body is not an AdmissionReview, or has no uid to answer to.
pub async fn review_bytes<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    injection: Injection,
    patience: Duration,
    body: &[u8],
) -> Result<Answer, BadReview> {
    answer(webhook, ReviewKind::Pod(injection), patience, body).await
}

/// Returns warnings for the author of a ServiceAccount or workload. Never rejects the object.
///
/// # Errors
/// As [`review_bytes`].
pub async fn validate_bytes<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    patience: Duration,
    body: &[u8],
) -> Result<Answer, BadReview> {
    answer(webhook, ReviewKind::Warnings, patience, body).await
}

/// A decision before it becomes an answer, which cuts long warnings.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// The decision.
    pub outcome: Outcome,
    /// What the audit log records beside its reason.
    pub audit: Audit,
    version: String,
    uid: String,
}

/// Decides as [`review_bytes`] does, and returns the decision with all warnings, whole.
///
/// # Errors
/// As [`review_bytes`].
pub async fn outcome<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    injection: Injection,
    patience: Duration,
    body: &[u8],
) -> Result<Reviewed, BadReview> {
    reviewed(webhook, ReviewKind::Pod(injection), patience, body).await
}

/// Returns the warnings of [`validate_bytes`], all of them and whole.
///
/// # Errors
/// As [`review_bytes`].
pub async fn warnings<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    patience: Duration,
    body: &[u8],
) -> Result<Vec<String>, BadReview> {
    let reviewed = reviewed(webhook, ReviewKind::Warnings, patience, body).await?;
    Ok(reviewed.outcome.warnings())
}

async fn answer<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    kind: ReviewKind,
    patience: Duration,
    body: &[u8],
) -> Result<Answer, BadReview> {
    let Reviewed { outcome, audit, version, uid } = reviewed(webhook, kind, patience, body).await?;
    Ok(Answer::new(&version, &uid, &outcome, &audit))
}

async fn reviewed<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    kind: ReviewKind,
    patience: Duration,
    body: &[u8],
) -> Result<Reviewed, BadReview> {
    let (version, uid, mut decision) = match Review::read(body) {
        Ok(review) => {
            let request = &review.request;
            let decision = match kind {
                ReviewKind::Pod(injection) => webhook.decide(request, injection, patience).await,
                ReviewKind::Warnings => Decision::without_service_account(
                    validate::check(webhook, request, patience).await,
                ),
            };
            (review.version().to_owned(), review.request.uid.into_owned(), decision)
        }
        Err(BadReview::Answerable { version, uid, error }) => {
            (version, uid, Decision::without_service_account(unreadable(error)))
        }
        Err(BadReview::Unanswerable) => {
            webhook.metrics().rejected(kind.route());
            tracing::info!(outcome = "rejected", reason = Reason::Unreadable.as_str(), "review");
            return Err(BadReview::Unanswerable);
        }
    };
    if matches!(kind, ReviewKind::Pod(Injection::Required)) {
        decision.outcome = decision.outcome.required();
    }
    webhook.metrics().reviewed(kind.route(), decision.audit.provider, &decision.outcome);
    decision.log(&uid);
    let Decision { outcome, audit, .. } = decision;
    Ok(Reviewed { outcome, audit, version, uid })
}
