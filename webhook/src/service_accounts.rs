//! Where ServiceAccounts and their namespaces are looked up: in the cluster, or in a map for the
//! CLI and tests.

use std::{collections::HashMap, future::Future, time::Duration};

use podrole_identity::{GuardRail, ServiceAccountAnnotations, ServiceAccountRef};

/// Looks up ServiceAccounts and namespaces.
pub trait ServiceAccounts: Send + Sync + 'static {
    /// Returns a ServiceAccount's annotations, or `None` if it does not exist, within `patience`.
    ///
    /// # Errors
    /// If the ServiceAccount could not be read. An error must never be taken for "no role": the
    /// pod would run without credentials, or with those of its node.
    fn find(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> impl Future<Output = Result<Option<ServiceAccountAnnotations>, LookupError>> + Send;

    /// Returns what a namespace permits its pods, within `patience`.
    ///
    /// # Errors
    /// If the namespace could not be read. An error must never be taken for "everything".
    fn guard_rail(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> impl Future<Output = Result<GuardRail, LookupError>> + Send;
}

/// Why a ServiceAccount or a namespace could not be looked up. The cause is in the cluster or in
/// podrole, never in the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// A source of roles has not been loaded for the first time.
    #[error(
        "podrole has not finished loading ServiceAccounts and associations; retry in a few seconds"
    )]
    Unsynced,
    /// The API server answered with an error, or not at all.
    #[error("could not read the ServiceAccount from the API server; see podrole-webhook's log")]
    Failed,
    /// The API server did not answer in time.
    #[error("the API server took too long to return the ServiceAccount; retry in a few seconds")]
    TooSlow,
    /// The rate limit for live reads is used up.
    #[error("too many unknown ServiceAccounts at once; retry in a few seconds")]
    Busy,
    /// The namespace does not exist, or could not be read.
    #[error("could not read the Namespace from the API server; retry in a few seconds")]
    Namespace,
}

/// A fixed set of ServiceAccounts.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    service_accounts: HashMap<ServiceAccountRef, ServiceAccountAnnotations>,
    guard_rails: HashMap<String, GuardRail>,
}

impl InMemory {
    /// Adds a namespace's guard-rail. Other namespaces permit everything.
    #[must_use]
    pub fn with_guard_rail(mut self, namespace: &str, guard_rail: GuardRail) -> Self {
        self.guard_rails.insert(namespace.to_owned(), guard_rail);
        self
    }
}

impl FromIterator<(ServiceAccountRef, ServiceAccountAnnotations)> for InMemory {
    fn from_iter<I>(service_accounts: I) -> Self
    where
        I: IntoIterator<Item = (ServiceAccountRef, ServiceAccountAnnotations)>,
    {
        Self {
            service_accounts: service_accounts.into_iter().collect(),
            guard_rails: HashMap::new(),
        }
    }
}

impl ServiceAccounts for InMemory {
    async fn find(
        &self,
        service_account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccountAnnotations>, LookupError> {
        Ok(self.service_accounts.get(service_account).cloned())
    }

    async fn guard_rail(
        &self,
        namespace: &str,
        _patience: Duration,
    ) -> Result<GuardRail, LookupError> {
        Ok(self.guard_rails.get(namespace).cloned().unwrap_or_default())
    }
}
