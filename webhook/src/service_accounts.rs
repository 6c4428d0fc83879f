//! Where ServiceAccounts and their namespaces are looked up: in the cluster, or in a map for the
//! CLI and tests.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use podrole_identity::{
    Association, Labels, NamespaceFacts, ServiceAccountAnnotations, ServiceAccountRef, Unreadable,
};

/// An association, or why it cannot be read; `None` if there is none.
pub type FoundAssociation = Option<Result<Association, Unreadable>>;

/// A ServiceAccount, as far as it decides anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccount {
    /// What its annotations say.
    pub annotations: ServiceAccountAnnotations,
    /// Its labels, as far as a pattern selects by them.
    pub labels: Labels,
}

impl ServiceAccount {
    /// Whether it names a role, usable or not.
    pub(crate) fn names_role(&self) -> bool {
        self.annotations.names_role()
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.annotations.is_empty() && self.labels.is_empty()
    }
}

impl From<ServiceAccountAnnotations> for ServiceAccount {
    fn from(annotations: ServiceAccountAnnotations) -> Self {
        Self { annotations, labels: Labels::new() }
    }
}

/// Looks up ServiceAccounts and namespaces.
pub trait ServiceAccounts: Send + Sync + 'static {
    /// Returns a ServiceAccount, or `None` if it does not exist, within `patience`.
    ///
    /// # Errors
    /// If the ServiceAccount could not be read. An error must never be taken for "no role": the
    /// pod would run without credentials, or with those of its node.
    fn find(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> impl Future<Output = Result<Option<ServiceAccount>, LookupError>> + Send;

    /// Returns a ServiceAccount's PodIdentityAssociation, within `patience`. `confirm` says whether
    /// its absence decides unless the ServiceAccount is known to name a role.
    ///
    /// # Errors
    /// If it could not be read.
    fn association(
        &self,
        service_account: &ServiceAccountRef,
        confirm: bool,
        patience: Duration,
    ) -> impl Future<Output = Result<FoundAssociation, LookupError>> + Send;

    /// The same, confirmed in any case.
    ///
    /// # Errors
    /// If it could not be read.
    fn confirmed_association(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> impl Future<Output = Result<FoundAssociation, LookupError>> + Send {
        self.association(service_account, true, patience)
    }

    /// Returns what a namespace permits its pods, within `patience`.
    ///
    /// # Errors
    /// If the namespace could not be read. An error must never be taken for "everything".
    fn namespace_facts(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> impl Future<Output = Result<Arc<NamespaceFacts>, LookupError>> + Send;
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
    /// The API server answered with an error to the read of an association, or not at all.
    #[error(
        "could not read the PodIdentityAssociation from the API server; see podrole-webhook's log"
    )]
    Association,
    /// The API server did not answer in time.
    #[error("the API server took too long to return the ServiceAccount; retry in a few seconds")]
    TooSlow,
    /// The API server did not answer in time to the read of an association.
    #[error(
        "the API server took too long to return the PodIdentityAssociation; retry in a few seconds"
    )]
    AssociationTooSlow,
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
    service_accounts: HashMap<ServiceAccountRef, ServiceAccount>,
    guard_rails: HashMap<String, Arc<NamespaceFacts>>,
    associations: HashMap<String, Result<Association, Unreadable>>,
}

impl InMemory {
    /// Adds a PodIdentityAssociation by name.
    #[must_use]
    pub fn with_association(mut self, name: &str, spec: &serde_json::Value) -> Self {
        self.associations.insert(name.to_owned(), Association::read_object(name, spec));
        self
    }

    /// Adds a namespace's guard-rail. Other namespaces permit everything.
    #[must_use]
    pub fn with_namespace(mut self, namespace: &str, guard_rail: NamespaceFacts) -> Self {
        self.guard_rails.insert(namespace.to_owned(), Arc::new(guard_rail));
        self
    }
}

impl<S: Into<ServiceAccount>> FromIterator<(ServiceAccountRef, S)> for InMemory {
    fn from_iter<I>(service_accounts: I) -> Self
    where
        I: IntoIterator<Item = (ServiceAccountRef, S)>,
    {
        Self {
            service_accounts: service_accounts
                .into_iter()
                .map(|(name, found)| (name, found.into()))
                .collect(),
            guard_rails: HashMap::new(),
            associations: HashMap::new(),
        }
    }
}

impl ServiceAccounts for InMemory {
    async fn find(
        &self,
        service_account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccount>, LookupError> {
        Ok(self.service_accounts.get(service_account).cloned())
    }

    async fn association(
        &self,
        service_account: &ServiceAccountRef,
        _confirm: bool,
        _patience: Duration,
    ) -> Result<FoundAssociation, LookupError> {
        Ok(self.associations.get(&Association::object_name(service_account)).cloned())
    }

    async fn namespace_facts(
        &self,
        namespace: &str,
        _patience: Duration,
    ) -> Result<Arc<NamespaceFacts>, LookupError> {
        Ok(self.guard_rails.get(namespace).cloned().unwrap_or_default())
    }
}
