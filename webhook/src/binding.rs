//! A pod's ServiceAccount, and the AWS role that its pods get.

use podrole_identity::{
    CredentialProvider, Denial, Grant, NamespaceFacts, PermittedSecrets, RoleArn, RoleEntry,
    ServiceAccountAnnotations, ServiceAccountRef, Source, grant, injected_provider,
};

use crate::{ServiceAccount, Settings, sources::Snapshot};

/// All that is known of a pod's ServiceAccount when the pod is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// The role of its pods; `Ok(None)` if no source names the ServiceAccount.
    pub grant: Result<Option<Grant>, Denial>,
    /// The provider of the containers; `None` if nothing is injected.
    pub provider: Option<CredentialProvider>,
    /// What else its annotations say, completed by the ConfigMap's entry if that decides.
    pub annotations: ServiceAccountAnnotations,
    /// The Secrets that annotations, also the pod's own, may add.
    pub permitted_secrets: PermittedSecrets,
}

impl Binding {
    /// Decides by the rules that the agent decides by. What the annotations may not ask for is removed
    /// from them and becomes a problem.
    #[must_use]
    pub fn new(
        service_account: &ServiceAccountRef,
        mut found: ServiceAccount,
        snapshot: &Snapshot,
        namespace: &NamespaceFacts,
        settings: &Settings,
    ) -> Self {
        let annotations = &mut found.annotations;
        let endpoint = annotations.opt_in.restrict_endpoint(&settings.permitted_endpoints);
        annotations.problems.extend(endpoint);
        let facts = snapshot.facts(service_account, &found, namespace);
        let grant = grant(&facts, &settings.rules);
        let provider = injected_provider(&grant, namespace);
        let mut annotations = found.annotations;
        if let Ok(Some(grant)) = &grant {
            let idle = annotations.idle_session_duration(grant.provider, settings.rules.exchange);
            annotations.problems.extend(idle);
        }
        let decides = match &grant {
            Ok(grant) => grant.as_ref().map(|grant| grant.source),
            Err(denial) => Some(denial.source),
        };
        let entry = snapshot.entry(service_account).and_then(Result::ok);
        if let Some(entry) = entry.filter(|_| decides == Some(Source::ConfigMap)) {
            complete(&mut annotations, entry);
        }
        Self {
            service_account: service_account.clone(),
            grant,
            provider,
            annotations,
            permitted_secrets: namespace.secrets.clone(),
        }
    }

    /// The role, if there is one and it is known.
    #[must_use]
    pub fn role(&self) -> Option<&RoleArn> {
        self.grant.as_ref().ok()?.as_ref()?.role()
    }

    /// Whether there is nothing to inject into a pod that asks for nothing itself, and nothing to
    /// warn of.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let annotations = &self.annotations;
        self.provider.is_none() && annotations.secrets.is_empty() && annotations.problems.is_empty()
    }
}

/// An entry of the ConfigMap fills what the ServiceAccount leaves open.
fn complete(annotations: &mut ServiceAccountAnnotations, entry: &RoleEntry) {
    let regional = &mut annotations.sts_regional_endpoints;
    *regional = regional.or(entry.sts_regional_endpoints);
    annotations.token_expiration = annotations.token_expiration.or(entry.token_expiration);
    annotations.audience = annotations.audience.take().or_else(|| entry.audience.clone());
}

#[cfg(test)]
mod tests;
