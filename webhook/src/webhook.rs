//! One review from its bytes to its answer: read, look up, decide, tell.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use podrole_identity::{CredentialPath, ServiceAccountRef};

use crate::{
    LookupFault, Metrics, Outcome, Reason, ServiceAccounts, Settings,
    binding::Binding,
    mutate::mutate,
    pod::PodView,
    review::{Answer, Audit, BadReview, Request, Review},
};

/// How long a look-up may take where the API server does not say how long it waits: half of the
/// timeout that our registration asks for.
pub const DEFAULT_PATIENCE: Duration = Duration::from_millis(1500);

/// What a namespace asks for with its label `podrole.io/injection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// `enabled`: a pod that cannot be decided is admitted as it is, with a warning.
    Enabled,
    /// `required`: it is refused, and a pod's own label does not opt out.
    Required,
}

/// All that a decision needs beside the review.
#[derive(Debug)]
pub struct Webhook<S> {
    accounts: S,
    settings: Settings,
    metrics: Metrics,
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
        Self { accounts, settings, metrics }
    }

    async fn decide(
        &self,
        request: &Request<'_>,
        injection: Injection,
        patience: Duration,
    ) -> Decision {
        let (pod, account) = match read_pod(request, injection) {
            Ok(read) => read,
            Err(outcome) => return Decision::without_account(outcome),
        };
        let (outcome, audit) = match self.accounts.find(&account, patience).await {
            Ok(found) => self.mutate(&pod, &Binding::of(found), &request.uid),
            Err(fault) => (unknown(fault), Audit::default()),
        };
        Decision { outcome, audit, account: Some(account) }
    }

    fn mutate(&self, pod: &PodView, binding: &Binding, uid: &str) -> (Outcome, Audit) {
        let audit = Audit { path: binding.path(&self.settings), role: binding.role().cloned() };
        (mutate(pod, binding, &self.settings, jitter(uid)), audit)
    }
}

impl Decision {
    fn without_account(outcome: Outcome) -> Self {
        Self { outcome, audit: Audit::default(), account: None }
    }

    fn log(&self, uid: &str) {
        let account = self.account.as_ref();
        tracing::info!(
            uid,
            namespace = account.map(ServiceAccountRef::namespace),
            service_account = account.map(ServiceAccountRef::name),
            outcome = self.outcome.as_str(),
            reason = self.outcome.reason().as_str(),
            path = self.audit.path.map(CredentialPath::as_str),
            "review"
        );
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
    let (version, uid, mut decision) = match Review::read(body) {
        Ok(review) => {
            let decision = webhook.decide(&review.request, injection, patience).await;
            let version = review.version().to_owned();
            (version, review.request.uid.into_owned(), decision)
        }
        Err(BadReview::Answerable { version, uid, fault }) => {
            (version, uid, Decision::without_account(unreadable(fault)))
        }
        Err(BadReview::Unanswerable) => {
            webhook.metrics.rejected();
            tracing::info!(outcome = "rejected", reason = Reason::Unreadable.as_str(), "review");
            return Err(BadReview::Unanswerable);
        }
    };
    if injection == Injection::Required {
        decision.outcome = decision.outcome.required();
    }
    webhook.metrics.reviewed(&decision.outcome);
    decision.log(&uid);
    Ok(Answer::new(&version, &uid, &decision.outcome, &decision.audit))
}

/// The pod and whose it is, or what becomes of a review without either.
fn read_pod(
    request: &Request<'_>,
    injection: Injection,
) -> Result<(PodView, ServiceAccountRef), Outcome> {
    if !request.creates_pod() {
        return Err(Outcome::skip(Reason::NotApplicable));
    }
    let object = request.object.ok_or_else(|| unreadable("the review has no pod in it"))?;
    let pod = PodView::read(object.get()).map_err(|fault| unreadable(&fault.to_string()))?;
    if injection == Injection::Enabled && pod.opted_out() {
        return Err(Outcome::skip(Reason::OptedOut));
    }
    let namespace = request.namespace.as_deref().unwrap_or_default();
    let account = ServiceAccountRef::new(namespace, pod.service_account())
        .map_err(|fault| unreadable(&fault.to_string()))?;
    Ok((pod, account))
}

fn unreadable(fault: &str) -> Outcome {
    Outcome::skip_with(Reason::Unreadable, format!("no AWS identity was added: {fault}"))
}

fn unknown(fault: LookupFault) -> Outcome {
    let reason = match fault {
        LookupFault::Unsynced => Reason::Unsynced,
        LookupFault::Failed | LookupFault::TooSlow | LookupFault::Busy => Reason::LookupFailed,
    };
    Outcome::skip_with(reason, format!("no AWS identity was added: {fault}"))
}

/// A number that differs from pod to pod. The review's uid is random already, and the same review
/// gets the same answer.
fn jitter(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
