//! Where ServiceAccounts and their namespaces are looked up: the cluster's watch, or a map for the
//! CLI and tests.

use std::{collections::HashMap, future::Future, time::Duration};

use podrole_identity::{PermittedRoles, ServiceAccountAnnotations, ServiceAccountRef};

/// What knows ServiceAccounts and namespaces.
pub trait ServiceAccounts: Send + Sync + 'static {
    /// What a ServiceAccount says; `None` where it does not exist. It is told or given up within
    /// `patience`.
    ///
    /// # Errors
    /// When it cannot be known. Not to know is never "no role".
    fn find(
        &self,
        account: &ServiceAccountRef,
        patience: Duration,
    ) -> impl Future<Output = Result<Option<ServiceAccountAnnotations>, LookupError>> + Send;

    /// What a namespace permits its pods to become. It is told or given up within `patience`.
    ///
    /// # Errors
    /// When it cannot be known. Not to know is never a yes.
    fn permitted_roles(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> impl Future<Output = Result<PermittedRoles, LookupError>> + Send;
}

/// Why a ServiceAccount or a namespace could not be looked up. The error is the cluster's or ours,
/// never the pod's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// Something that says who pods are has not been read for the first time.
    #[error("who pods are is not all read yet; create the pod again in a few seconds")]
    Unsynced,
    /// The API server answered with an error, or not at all.
    #[error("the API server did not tell the ServiceAccount; the webhook's log says why")]
    Failed,
    /// The answer took too long.
    #[error("the API server took too long to tell the ServiceAccount; create the pod again")]
    TooSlow,
    /// Too many are asked for at once.
    #[error("too many unknown ServiceAccounts at once; create the pod again in a few seconds")]
    Busy,
    /// The namespace is not there, or the API server did not tell it.
    #[error("the API server did not tell the Namespace; create the pod again in a few seconds")]
    Namespace,
}

/// ServiceAccounts that are all known beforehand.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    accounts: HashMap<ServiceAccountRef, ServiceAccountAnnotations>,
    permitted: HashMap<String, PermittedRoles>,
}

impl InMemory {
    /// With a namespace's guard-rail; namespaces have none otherwise.
    #[must_use]
    pub fn with_permitted_roles(mut self, namespace: &str, permitted: PermittedRoles) -> Self {
        self.permitted.insert(namespace.to_owned(), permitted);
        self
    }
}

impl FromIterator<(ServiceAccountRef, ServiceAccountAnnotations)> for InMemory {
    fn from_iter<I>(accounts: I) -> Self
    where
        I: IntoIterator<Item = (ServiceAccountRef, ServiceAccountAnnotations)>,
    {
        Self { accounts: accounts.into_iter().collect(), permitted: HashMap::new() }
    }
}

impl ServiceAccounts for InMemory {
    async fn find(
        &self,
        account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccountAnnotations>, LookupError> {
        Ok(self.accounts.get(account).cloned())
    }

    async fn permitted_roles(
        &self,
        namespace: &str,
        _patience: Duration,
    ) -> Result<PermittedRoles, LookupError> {
        Ok(self.permitted.get(namespace).cloned().unwrap_or_default())
    }
}
