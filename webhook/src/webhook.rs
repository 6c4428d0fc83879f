//! Decides what to do with a request: look up the ServiceAccount, find its role, make the patch.

mod decision;
mod request;

use std::time::Duration;

use podrole_identity::{Denial, DenialReason, Injection, ServiceAccountRef};

use crate::{
    FoundAssociation, LookupError, Metrics, Outcome, Reason, ServiceAccount, ServiceAccounts,
    Settings,
    binding::Binding,
    mutate::{ContainerReport, explain, mutate},
    pod::{PodHead, PodView},
    registered_timeout::RegisteredTimeout,
    review::{Audit, Request, Subject},
    sources::{ConfiguredSources, Snapshot},
};
pub(crate) use decision::Decision;
pub(crate) use request::unreadable;
use request::{debug, head, jitter, unknown};

/// How long a look-up may take if the API server does not say how long it waits: half of the
/// timeout in our registration.
pub const DEFAULT_PATIENCE: Duration = Duration::from_millis(1500);

/// Everything that a decision needs besides the review.
#[derive(Debug)]
pub struct Webhook<S> {
    service_accounts: S,
    sources: ConfiguredSources,
    settings: Settings,
    metrics: Metrics,
    registered_timeout: RegisteredTimeout,
}

/// A pod to create. Only its head is parsed until there is something to inject.
struct NewPod<'a> {
    head: PodHead<'a>,
    json: &'a str,
    injection: Injection,
    /// The review's uid.
    uid: &'a str,
}

impl<S> Webhook<S> {
    /// How long API servers wait for an answer.
    pub(crate) fn registered_timeout(&self) -> &RegisteredTimeout {
        &self.registered_timeout
    }
}

impl<S: ServiceAccounts> Webhook<S> {
    /// A webhook that looks up ServiceAccounts in `service_accounts`.
    pub fn new(service_accounts: S, settings: Settings, metrics: Metrics) -> Self {
        let (sources, registered_timeout) = Default::default();
        Self { service_accounts, sources, settings, metrics, registered_timeout }
    }

    /// Adds sources of roles besides the ServiceAccounts' annotations.
    #[must_use]
    pub fn with_sources(self, sources: ConfiguredSources) -> Self {
        Self { sources, ..self }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn service_accounts(&self) -> &S {
        &self.service_accounts
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) async fn decide(
        &self,
        request: &Request<'_>,
        injection: Injection,
        patience: Duration,
    ) -> Decision {
        match request.subject() {
            None => Decision::without_service_account(Outcome::skip(Reason::NotApplicable)),
            Some(Subject::EphemeralContainers) => {
                Decision::without_service_account(debug(request, injection).unwrap_or_else(|it| it))
            }
            Some(Subject::NewPod) => match head(request, injection) {
                Ok((head, json, service_account)) => {
                    let pod = NewPod { head, json, injection, uid: &request.uid };
                    self.decide_pod(&pod, service_account, patience).await
                }
                Err(outcome) => Decision::without_service_account(outcome),
            },
        }
    }

    /// Decides a new pod. Its containers are parsed only if there is something to inject.
    async fn decide_pod(
        &self,
        pod: &NewPod<'_>,
        service_account: ServiceAccountRef,
        patience: Duration,
    ) -> Decision {
        let asks_for_secrets = pod.head.asks_for_secrets();
        let binding = match self.bind(&service_account, patience).await {
            Ok(binding) => binding,
            Err(error) => return Decision::about(service_account, unknown(error)),
        };
        let near_misses = pod.head.near_misses(&service_account, &self.settings.annotations.prefix);
        let near_misses = near_misses.iter().map(ToString::to_string).collect();
        if binding.is_idle() && !asks_for_secrets {
            let outcome = Outcome::Skip { reason: Reason::NoRole, warnings: near_misses };
            return Decision::about(service_account, outcome);
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
        let outcome = outcome.warn_last(near_misses);
        let denial = denial.map(|denial| denial.reason.name());
        let audit = Audit { provider: binding.provider, role: binding.role().cloned(), denial };
        Decision { outcome, audit, service_account: Some(service_account) }
    }

    /// Says what each container of a new pod gets of its role; empty if it has none, opts out or
    /// cannot be parsed.
    ///
    /// # Errors
    /// If something that could change the decision is not known.
    pub async fn explain(
        &self,
        service_account: &ServiceAccountRef,
        pod: &str,
        patience: Duration,
    ) -> Result<Vec<ContainerReport>, LookupError> {
        let binding = self.bind(service_account, patience).await?;
        let view = PodView::read(pod).ok();
        Ok(view.map(|view| explain(&view, &binding, &self.settings)).unwrap_or_default())
    }

    /// The role of a ServiceAccount's pods.
    ///
    /// # Errors
    /// If something that could change the decision is not known.
    pub(crate) async fn bind(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<Binding, LookupError> {
        let begun = tokio::time::Instant::now();
        let snapshot = self.sources.snapshot()?;
        // If nothing else names the ServiceAccount, that it has no association is confirmed. At the same
        // time: a read may take half of the time that the API server waits.
        let confirm = snapshot.listed(service_account).is_none();
        let (found, association) = tokio::join!(
            self.service_accounts.find(service_account, patience),
            self.service_accounts.association(service_account, confirm, patience)
        );
        let (found, association) = (found?.unwrap_or_default(), association?);
        // All look-ups share one deadline, because the API server waits for their sum.
        let left = patience.saturating_sub(begun.elapsed());
        let absent = association.is_none();
        let snapshot = Snapshot { association, ..snapshot };
        let binding = self.bind_all(service_account, found, snapshot, left).await?;
        // A pod must not be refused for lack of an association that the watch has not reported yet.
        let lacks = |denial: &Denial| denial.reason == DenialReason::NoAssociation;
        if !absent || !binding.grant.as_ref().is_err_and(lacks) {
            return Ok(binding);
        }
        let left = patience.saturating_sub(begun.elapsed());
        let confirmed = self.service_accounts.confirmed_association(service_account, left).await?;
        if confirmed.is_none() {
            return Ok(binding);
        }
        let left = patience.saturating_sub(begun.elapsed());
        let found = self.service_accounts.find(service_account, left).await?.unwrap_or_default();
        let left = patience.saturating_sub(begun.elapsed());
        self.bind_associated(service_account, found, confirmed, left).await
    }

    /// The same for a ServiceAccount that is known already.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub(crate) async fn bind_found(
        &self,
        service_account: &ServiceAccountRef,
        found: ServiceAccount,
        patience: Duration,
    ) -> Result<Binding, LookupError> {
        let association =
            self.service_accounts.association(service_account, false, patience).await?;
        self.bind_associated(service_account, found, association, patience).await
    }

    /// The same for an association that is known too.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub(crate) async fn bind_associated(
        &self,
        service_account: &ServiceAccountRef,
        found: ServiceAccount,
        association: FoundAssociation,
        patience: Duration,
    ) -> Result<Binding, LookupError> {
        let snapshot = Snapshot { association, ..self.sources.snapshot()? };
        self.bind_all(service_account, found, snapshot, patience).await
    }

    async fn bind_all(
        &self,
        service_account: &ServiceAccountRef,
        found: ServiceAccount,
        mut snapshot: Snapshot,
        patience: Duration,
    ) -> Result<Binding, LookupError> {
        let namespace = service_account.namespace();
        let namespace = self.service_accounts.namespace_facts(namespace, patience).await?;
        self.sources.add_config_map(&mut snapshot, service_account, &found, &namespace)?;
        Ok(Binding::new(service_account, found, &snapshot, &namespace, &self.settings))
    }
}

#[cfg(test)]
mod tests;
