//! One review from its bytes to its answer: read, look up, decide, tell.

mod request;

use std::time::Duration;

use podrole_identity::{
    CredentialProvider, Injection, NamespaceFacts, PermittedRoles, ServiceAccountAnnotations,
    ServiceAccountRef,
};

use crate::{
    LookupError, Metrics, Outcome, Reason, ServiceAccounts, Settings,
    binding::Binding,
    metrics::Route,
    mutate::mutate,
    pod::{PodHead, PodView},
    review::{Answer, Audit, BadReview, Request, Review, Subject},
    sources::ConfiguredSources,
    validate,
};
use request::{debug, head, jitter, unknown, unreadable};

/// How long a look-up may take where the API server does not say how long it waits: half of the
/// timeout that our registration asks for.
pub const DEFAULT_PATIENCE: Duration = Duration::from_millis(1500);

/// All that a decision needs beside the review.
#[derive(Debug)]
pub struct Webhook<S> {
    accounts: S,
    sources: ConfiguredSources,
    settings: Settings,
    metrics: Metrics,
}

/// A pod that is to be created, read as far as the first look goes.
struct NewPod<'a> {
    head: PodHead<'a>,
    json: &'a str,
    injection: Injection,
    /// The review's.
    uid: &'a str,
}

/// A decision, with what is told of it.
struct Decision {
    outcome: Outcome,
    audit: Audit,
    account: Option<ServiceAccountRef>,
}

impl<S: ServiceAccounts> Webhook<S> {
    /// A webhook that looks ServiceAccounts up in `accounts` and counts into `metrics`.
    pub fn new(accounts: S, settings: Settings, metrics: Metrics) -> Self {
        Self { accounts, sources: ConfiguredSources::default(), settings, metrics }
    }

    /// The same with sources beside the ServiceAccounts' annotations.
    #[must_use]
    pub fn with_sources(self, sources: ConfiguredSources) -> Self {
        Self { sources, ..self }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) async fn permitted_roles(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> Result<PermittedRoles, LookupError> {
        self.accounts.permitted_roles(namespace, patience).await
    }

    async fn decide(
        &self,
        request: &Request<'_>,
        injection: Injection,
        patience: Duration,
    ) -> Decision {
        match request.subject() {
            None => Decision::without_account(Outcome::skip(Reason::NotApplicable)),
            Some(Subject::EphemeralContainers) => {
                Decision::without_account(debug(request, injection).unwrap_or_else(|it| it))
            }
            Some(Subject::NewPod) => match head(request, injection) {
                Ok((head, json, account)) => {
                    let pod = NewPod { head, json, injection, uid: &request.uid };
                    self.decide_pod(&pod, account, patience).await
                }
                Err(outcome) => Decision::without_account(outcome),
            },
        }
    }

    /// A new pod. The rest of it is read only if there is something to give.
    async fn decide_pod(
        &self,
        pod: &NewPod<'_>,
        account: ServiceAccountRef,
        patience: Duration,
    ) -> Decision {
        let binding = match self.bind(&account, patience).await {
            Ok(binding) => binding,
            Err(error) => return Decision::about(account, unknown(error)),
        };
        if binding.is_idle() && !pod.head.asks_for_secrets() {
            return Decision::about(account, Outcome::skip(Reason::NoRole));
        }
        let denial = binding.grant.as_ref().err();
        let outcome = match (denial, PodView::read(pod.json)) {
            (Some(denial), _) if pod.injection == Injection::Required => Outcome::Refuse {
                reason: Reason::Denied(denial.reason.label()),
                message: denial.to_string(),
            },
            (_, Ok(view)) => mutate(&view, &binding, &self.settings, jitter(pod.uid)),
            (_, Err(error)) => unreadable(&error.to_string()),
        };
        let denial = denial.map(|denial| denial.reason.name());
        let audit = Audit { provider: binding.provider(), role: binding.role().cloned(), denial };
        Decision { outcome, audit, account: Some(account) }
    }

    /// The role of a ServiceAccount's pods.
    ///
    /// # Errors
    /// If something that could change the decision is not known.
    pub(crate) async fn bind(
        &self,
        account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<Binding, LookupError> {
        let begun = tokio::time::Instant::now();
        let found = self.accounts.find(account, patience).await?;
        // Both look-ups share one deadline, because the API server waits for their sum.
        let left = patience.saturating_sub(begun.elapsed());
        self.bind_annotated(account, &found.unwrap_or_default(), left).await
    }

    /// The same for annotations that are known already.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub(crate) async fn bind_annotated(
        &self,
        account: &ServiceAccountRef,
        annotations: &ServiceAccountAnnotations,
        patience: Duration,
    ) -> Result<Binding, LookupError> {
        let snapshot = self.sources.snapshot(account, annotations)?;
        let sources = snapshot.sources();
        let mut namespace = NamespaceFacts::default();
        // Most pods have no role: the guard-rail of their namespace is not looked up.
        if sources.name_it() {
            namespace.permitted = self.permitted_roles(account.namespace(), patience).await?;
        }
        Ok(Binding::new(account, sources, &namespace, &self.settings.rules))
    }
}

impl Decision {
    fn without_account(outcome: Outcome) -> Self {
        Self { outcome, audit: Audit::default(), account: None }
    }

    fn about(account: ServiceAccountRef, outcome: Outcome) -> Self {
        Self { outcome, audit: Audit::default(), account: Some(account) }
    }

    fn log(&self, uid: &str) {
        let account = self.account.as_ref();
        tracing::info!(
            uid,
            namespace = account.map(ServiceAccountRef::namespace),
            service_account = account.map(ServiceAccountRef::name),
            outcome = self.outcome.as_str(),
            reason = self.outcome.reason().as_str(),
            provider = self.audit.provider.map(CredentialProvider::as_str),
            denial = self.audit.denial,
            "review"
        );
    }
}

/// What is asked of the webhook.
#[derive(Clone, Copy)]
enum Question {
    /// What becomes of a pod.
    Pod(Injection),
    /// What the author of something else should know.
    Warnings,
}

impl Question {
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
/// When the body is no AdmissionReview, or has no uid that could be answered to.
pub async fn review_bytes<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    injection: Injection,
    patience: Duration,
    body: &[u8],
) -> Result<Answer, BadReview> {
    answer(webhook, Question::Pod(injection), patience, body).await
}

/// Tells the author of a ServiceAccount or of a workload what to know of it; refuses nothing.
///
/// # Errors
/// As [`review_bytes`].
pub async fn validate_bytes<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    patience: Duration,
    body: &[u8],
) -> Result<Answer, BadReview> {
    answer(webhook, Question::Warnings, patience, body).await
}

async fn answer<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    question: Question,
    patience: Duration,
    body: &[u8],
) -> Result<Answer, BadReview> {
    let (version, uid, mut decision) = match Review::read(body) {
        Ok(review) => {
            let request = &review.request;
            let decision = match question {
                Question::Pod(injection) => webhook.decide(request, injection, patience).await,
                Question::Warnings => {
                    Decision::without_account(validate::check(webhook, request, patience).await)
                }
            };
            (review.version().to_owned(), review.request.uid.into_owned(), decision)
        }
        Err(BadReview::Answerable { version, uid, error }) => {
            (version, uid, Decision::without_account(unreadable(error)))
        }
        Err(BadReview::Unanswerable) => {
            webhook.metrics.rejected(question.route());
            tracing::info!(outcome = "rejected", reason = Reason::Unreadable.as_str(), "review");
            return Err(BadReview::Unanswerable);
        }
    };
    if matches!(question, Question::Pod(Injection::Required)) {
        decision.outcome = decision.outcome.required();
    }
    webhook.metrics.reviewed(question.route(), decision.audit.provider, &decision.outcome);
    decision.log(&uid);
    Ok(Answer::new(&version, &uid, &decision.outcome, &decision.audit))
}

#[cfg(test)]
mod tests;
