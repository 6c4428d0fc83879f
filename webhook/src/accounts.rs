//! Where ServiceAccounts are looked up: the cluster's watch, or a map for the CLI and tests.

use std::{collections::HashMap, future::Future, time::Duration};

use podrole_identity::{ServiceAccountAnnotations, ServiceAccountRef};

/// What knows ServiceAccounts.
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
    ) -> impl Future<Output = Result<Option<ServiceAccountAnnotations>, LookupFault>> + Send;
}

/// Why a ServiceAccount could not be looked up. The fault is the cluster's or ours, never the
/// pod's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupFault {
    /// The first list has not been read yet.
    #[error("the ServiceAccounts are not read yet; create the pod again in a few seconds")]
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
}

/// ServiceAccounts that are all known beforehand.
#[derive(Clone, Debug, Default)]
pub struct InMemory(HashMap<ServiceAccountRef, ServiceAccountAnnotations>);

impl FromIterator<(ServiceAccountRef, ServiceAccountAnnotations)> for InMemory {
    fn from_iter<I>(accounts: I) -> Self
    where
        I: IntoIterator<Item = (ServiceAccountRef, ServiceAccountAnnotations)>,
    {
        Self(accounts.into_iter().collect())
    }
}

impl ServiceAccounts for InMemory {
    async fn find(
        &self,
        account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccountAnnotations>, LookupFault> {
        Ok(self.0.get(account).cloned())
    }
}
