//! A review's decision, before it becomes an answer.

use podrole_identity::{CredentialProvider, ServiceAccountRef};

use crate::{Outcome, review::Audit};

/// A decision, with what the log and the audit annotations say about it.
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    pub(crate) audit: Audit,
    pub(crate) service_account: Option<ServiceAccountRef>,
}

impl Decision {
    pub(crate) fn without_service_account(outcome: Outcome) -> Self {
        Self { outcome, audit: Audit::default(), service_account: None }
    }

    pub(crate) fn about(service_account: ServiceAccountRef, outcome: Outcome) -> Self {
        Self { outcome, audit: Audit::default(), service_account: Some(service_account) }
    }

    pub(crate) fn log(&self, uid: &str) {
        let service_account = self.service_account.as_ref();
        tracing::info!(
            uid,
            namespace = service_account.map(ServiceAccountRef::namespace),
            service_account = service_account.map(ServiceAccountRef::name),
            outcome = self.outcome.as_str(),
            reason = self.outcome.reason().as_str(),
            provider = self.audit.provider.map(CredentialProvider::as_str),
            denial = self.audit.denial,
            "review"
        );
    }
}
