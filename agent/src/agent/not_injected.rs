//! Judges pods without a credential provider: whether each should have one, why it has none, and what is reported to its owner.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use podrole_identity::{
    Denial, Facts, Grant, Lack, MissedReason, MissedTimes, Patterns, PodShape, ServiceAccountRef,
    Source, grant, is_missed, lacked_provider,
};
use tokio::time::Instant;

use super::Agent;
use crate::{
    node::{AddedPod, PodProvider},
    resolve::{AssociationFacts, NamespaceFacts, ResolveError, ServiceAccountFacts},
};

/// What decides about all pods of a ServiceAccount.
struct Known {
    facts: Arc<ServiceAccountFacts>,
    granted: Result<Option<Grant>, Denial>,
    identity: IdentityTime,
}

/// How old what names the role is.
enum IdentityTime {
    /// No source names the ServiceAccount.
    Nothing,
    /// It was last changed then, if that is known.
    Changed(Option<Timestamp>),
    /// It was created then, and may have been changed since.
    Created(Option<Timestamp>),
}

impl Agent {
    /// Judges a pod that is seen for the first time; `was_there` before the agent.
    ///
    /// # Errors
    /// If what decides about it could not be looked up.
    pub(super) async fn judge_new(
        &self,
        pod: &AddedPod,
        was_there: bool,
    ) -> Result<(), ResolveError> {
        // The node's clock may be wrong, so that it does not count for a pod that was just created.
        let created = pod.created.filter(|_| was_there);
        let age = created.and_then(|it| self.aws_now().duration_since(it).try_into().ok());
        let pod = self.missed_pods.insert(pod, age.unwrap_or_default(), Instant::now());
        self.judge(&[pod], true).await
    }

    /// Judges again the pod that has been due for the longest, and others of its ServiceAccount.
    ///
    /// # Errors
    /// If what decides about them could not be looked up. What is known of them stays.
    pub(super) async fn judge_due(&self) -> Result<(), ResolveError> {
        let pods = self.missed_pods.due(Instant::now());
        let judged = self.judge(&pods, false).await;
        judged.inspect_err(|_| self.missed_pods.failed(&pods, Instant::now()))
    }

    /// Judges pods of one ServiceAccount by at most three look-ups.
    async fn judge(&self, pods: &[Arc<AddedPod>], is_first: bool) -> Result<(), ResolveError> {
        let Some(first) = pods.first() else { return Ok(()) };
        let service_account = &first.service_account;
        let name = service_account.namespace().to_owned();
        // First the namespace: most pods of a node are in one that does not ask for injection.
        let Some(namespace) = self.options.namespaces.find(&name).await? else {
            // It was deleted.
            self.missed_pods.none_in(&name, Instant::now());
            return Ok(());
        };
        let asks = namespace.injection.is_some();
        if !asks {
            self.missed_pods.none_in(&name, Instant::now());
            let may_expect = is_first && first.may_expect_a_role(self.clock.now());
            if !namespace.is_unlabelled || !may_expect {
                return Ok(());
            }
        }
        let mut shapes = pods.iter().filter_map(|pod| shape(pod));
        let known = if shapes.any(|shape| !shape.opts_out_of(&namespace)) {
            self.known(service_account, &namespace).await?
        } else {
            None
        };
        for pod in pods {
            self.judge_by(known.as_ref(), pod, &namespace);
        }
        Ok(())
    }

    async fn known(
        &self,
        service_account: &ServiceAccountRef,
        namespace: &NamespaceFacts,
    ) -> Result<Option<Known>, ResolveError> {
        let Some(facts) = self.service_accounts.find(service_account).await? else {
            return Ok(None);
        };
        let association = match &self.options.associations {
            Some(associations) => associations.find(service_account).await?,
            None => None,
        };
        let list = self.options.list.current().ok_or(ResolveError::NoList)?;
        let patterns = self.options.patterns.current().ok_or(ResolveError::NoObjects)?;
        let guardrails = self.options.guardrails.current().ok_or(ResolveError::NoObjects)?;
        let of_grant = Facts {
            service_account,
            labels: &facts.labels,
            sources: facts.sources(association.as_deref(), list.find(service_account)),
            patterns: &patterns,
            guardrails: &guardrails,
            namespace,
            provider: None,
        };
        let granted = grant(&of_grant, &self.options.sessions.rules);
        let identity = identity_time(&granted, &facts, association.as_deref(), &patterns);
        Ok(Some(Known { facts, granted, identity }))
    }

    /// Records what the facts say about one pod, and reports it to its owner once.
    fn judge_by(&self, known: Option<&Known>, pod: &AddedPod, namespace: &NamespaceFacts) {
        let lack = known.zip(shape(pod)).and_then(|(known, shape)| {
            let annotations = &known.facts.annotations;
            Some((lacked_provider(shape, annotations, &known.granted, namespace)?, known))
        });
        let Some((lack, known)) = lack else {
            return self.missed_pods.without_identity(&pod.uid, Instant::now());
        };
        if namespace.injection.is_none() {
            self.options.notices.as_ref().inspect(|notices| notices.not_opted_in(pod));
            return;
        }
        let reason = MissedReason::of(times(pod, &known.identity, namespace));
        let reason = reason.or_else(|| self.missed_pods.awaited(&pod.uid));
        self.report(pod, lack, reason);
        let is_missed = is_missed(Some(lack), namespace, pod.created, self.now_for(pod));
        let missed = is_missed.then_some(reason.unwrap_or(MissedReason::WebhookWasAway));
        self.missed_pods.judged(&pod.uid, missed, Instant::now());
    }

    fn report(&self, pod: &AddedPod, lack: Lack, reason: Option<MissedReason>) {
        if !self.missed_pods.report_once(&pod.uid) {
            return;
        }
        let service_account = &pod.service_account;
        self.metrics.pod_not_injected();
        tracing::warn!(
            namespace = service_account.namespace(),
            pod = pod.name,
            service_account = service_account.name(),
            reason = reason.map(MissedReason::as_str),
            "a pod was created without its credential provider"
        );
        self.options.notices.as_ref().inspect(|notices| notices.not_injected(pod, lack, reason));
    }

    /// The time. The pod is at least as old as it has been known, however wrong the node's clock is.
    fn now_for(&self, pod: &AddedPod) -> Timestamp {
        let known_for = self.missed_pods.known_for(&pod.uid, Instant::now());
        let known_for = SignedDuration::try_from(known_for).unwrap_or(SignedDuration::MAX);
        let known = pod.created.and_then(|created| created.saturating_add(known_for).ok());
        known.map_or_else(|| self.aws_now(), |known| known.max(self.aws_now()))
    }
}

fn shape(pod: &AddedPod) -> Option<&PodShape> {
    match &pod.provider {
        PodProvider::None(shape) => Some(shape),
        PodProvider::Agent | PodProvider::Other => None,
    }
}

fn identity_time(
    granted: &Result<Option<Grant>, Denial>,
    facts: &ServiceAccountFacts,
    association: Option<&AssociationFacts>,
    patterns: &Patterns,
) -> IdentityTime {
    let (source, pattern) = match granted {
        Ok(None) => return IdentityTime::Nothing,
        Ok(Some(grant)) => (grant.source, &grant.pattern),
        Err(denial) => (denial.source, &denial.pattern),
    };
    match source {
        Source::Annotation => IdentityTime::Changed(facts.role_changed),
        Source::Association => IdentityTime::Changed(association.and_then(|it| it.changed)),
        Source::Pattern => {
            let pattern = pattern.as_deref();
            IdentityTime::Created(pattern.and_then(|name| patterns.created(name)))
        }
        _ => IdentityTime::Changed(None),
    }
}

/// The times that show why the pod was missed.
fn times(pod: &AddedPod, identity: &IdentityTime, namespace: &NamespaceFacts) -> MissedTimes {
    let mut label = namespace.labelled.injection;
    let identity = match identity {
        // The namespace's label alone asks for the provider.
        IdentityTime::Nothing => {
            label = label.zip(namespace.labelled.credentials).map(|(one, other)| one.max(other));
            pod.created
        }
        IdentityTime::Changed(time) => *time,
        // Of an older one this shows nothing.
        IdentityTime::Created(time) => time.filter(|time| Some(*time) > pod.created),
    };
    MissedTimes { pod: pod.created, identity, label }
}
