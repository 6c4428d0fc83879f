//! The demo's ServiceAccounts: those of the files, and what happens to them on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use podrole_agent::resolve::{ServiceAccountFacts, ServiceAccountMap};
use podrole_identity::{
    AnnotationPrefix, Annotations, Audience, CredentialProvider, PermittedRoles, RoleArn,
    ServiceAccountAnnotations, ServiceAccountRef,
};
use podrole_webhook::{LookupError, ServiceAccounts};

use super::Failure;

/// One map for the webhook and the agent. Clones are the same map.
#[derive(Clone)]
pub(crate) struct Accounts {
    annotations: Arc<Mutex<BTreeMap<ServiceAccountRef, Annotations>>>,
    agents: ServiceAccountMap,
}

/// A ServiceAccount's UID. Nothing here is ever created anew, so the name will do.
pub(crate) fn uid(account: &ServiceAccountRef) -> String {
    format!("demo-{}-{}", account.namespace(), account.name())
}

fn read(annotations: &Annotations) -> ServiceAccountAnnotations {
    ServiceAccountAnnotations::read(annotations, &AnnotationPrefix::default())
}

impl Accounts {
    /// The files' ServiceAccounts.
    pub(crate) fn new(files: &BTreeMap<ServiceAccountRef, Annotations>) -> Self {
        let accounts = Self { annotations: Arc::default(), agents: ServiceAccountMap::default() };
        for (account, annotations) in files {
            accounts.put(account, annotations.clone());
        }
        accounts
    }

    /// What the agent sees.
    pub(crate) fn for_the_agent(&self) -> ServiceAccountMap {
        self.agents.clone()
    }

    /// A ServiceAccount's annotations as they are now.
    pub(crate) fn annotations(&self, account: &ServiceAccountRef) -> Option<Annotations> {
        self.lock().get(account).cloned()
    }

    /// The way that a ServiceAccount's pods go.
    pub(crate) fn path(&self, account: &ServiceAccountRef) -> CredentialProvider {
        let annotations = self.annotations(account).unwrap_or_default();
        read(&annotations).credentials.unwrap_or_default()
    }

    /// Sets an annotation.
    pub(crate) fn annotate(&self, account: &ServiceAccountRef, key: &str, value: &str) {
        let mut annotations = self.annotations(account).unwrap_or_default();
        annotations.insert(key.to_owned(), value.to_owned());
        self.put(account, annotations);
    }

    /// All ServiceAccounts that name `role`.
    pub(crate) fn with_role(&self, role: &RoleArn) -> Vec<ServiceAccountRef> {
        let accounts = self.lock();
        let named = accounts.iter().filter(|(_, said)| read(said).role.as_ref() == Some(role));
        named.map(|(account, _)| account.clone()).collect()
    }

    /// All audiences that the ServiceAccounts' tokens have: what an OIDC provider must list.
    pub(crate) fn audiences(&self) -> Vec<Audience> {
        let accounts = self.lock();
        let own = |said| read(said).audience.unwrap_or_else(Audience::sts);
        let audiences: BTreeSet<Audience> = accounts.values().map(own).collect();
        audiences.into_iter().collect()
    }

    /// A ServiceAccount that names the same role as `account`, and that no trust policy names.
    pub(crate) fn stranger(
        &self,
        account: &ServiceAccountRef,
    ) -> Result<ServiceAccountRef, Failure> {
        let stranger = ServiceAccountRef::new(account.namespace(), "podrole-demo-stranger");
        let stranger = stranger.map_err(|error| Failure::ours("a ServiceAccount", &error))?;
        self.put(&stranger, self.annotations(account).unwrap_or_default());
        Ok(stranger)
    }

    fn put(&self, account: &ServiceAccountRef, annotations: Annotations) {
        let facts = ServiceAccountFacts {
            uid: uid(account),
            annotations: read(&annotations),
            ..ServiceAccountFacts::default()
        };
        self.agents.insert(account.clone(), facts);
        self.lock().insert(account.clone(), annotations);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServiceAccountRef, Annotations>> {
        self.annotations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceAccounts for Accounts {
    async fn find(
        &self,
        account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccountAnnotations>, LookupError> {
        Ok(self.annotations(account).map(|annotations| read(&annotations)))
    }

    async fn permitted_roles(
        &self,
        _namespace: &str,
        _patience: Duration,
    ) -> Result<PermittedRoles, LookupError> {
        Ok(PermittedRoles::Any)
    }
}
