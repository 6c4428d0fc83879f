//! The demo's ServiceAccounts: those of the files, and the changes that the demo makes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use podrole_agent::resolve::{ServiceAccountFacts, ServiceAccountMap};
use podrole_identity::{
    AnnotationPrefix, Annotations, Audience, CredentialProvider, NamespaceFacts, RoleArn,
    ServiceAccountAnnotations, ServiceAccountRef,
};
use podrole_webhook::{FoundAssociation, LookupError, ServiceAccount, ServiceAccounts};

use super::Failure;

/// The name of the ServiceAccount that no trust policy allows.
pub(crate) const UNTRUSTED: &str = "podrole-demo-untrusted";

/// The ServiceAccounts that webhook and agent read. Clones share one map.
#[derive(Clone)]
pub(crate) struct DemoServiceAccounts {
    annotations: Arc<Mutex<BTreeMap<ServiceAccountRef, Annotations>>>,
    agent_map: ServiceAccountMap,
}

/// The UID of a ServiceAccount. It is derived from the name, since none is deleted and created
/// again.
pub(crate) fn uid(service_account: &ServiceAccountRef) -> String {
    format!("demo-{}-{}", service_account.namespace(), service_account.name())
}

fn read(annotations: &Annotations) -> ServiceAccountAnnotations {
    ServiceAccountAnnotations::read(annotations, &AnnotationPrefix::default())
}

impl DemoServiceAccounts {
    pub(crate) fn new(files: &BTreeMap<ServiceAccountRef, Annotations>) -> Self {
        let service_accounts =
            Self { annotations: Arc::default(), agent_map: ServiceAccountMap::default() };
        for (service_account, annotations) in files {
            service_accounts.put(service_account, annotations.clone());
        }
        service_accounts
    }

    pub(crate) fn for_agent(&self) -> ServiceAccountMap {
        self.agent_map.clone()
    }

    /// The current annotations, or `None` if there is no such ServiceAccount.
    pub(crate) fn annotations(&self, service_account: &ServiceAccountRef) -> Option<Annotations> {
        self.lock().get(service_account).cloned()
    }

    /// The credential provider that a ServiceAccount chooses.
    pub(crate) fn provider(&self, service_account: &ServiceAccountRef) -> CredentialProvider {
        let annotations = self.annotations(service_account).unwrap_or_default();
        read(&annotations).credentials.unwrap_or_default()
    }

    pub(crate) fn annotate(&self, service_account: &ServiceAccountRef, key: &str, value: &str) {
        let mut annotations = self.annotations(service_account).unwrap_or_default();
        annotations.insert(key.to_owned(), value.to_owned());
        self.put(service_account, annotations);
    }

    pub(crate) fn with_role(&self, role: &RoleArn) -> Vec<ServiceAccountRef> {
        let service_accounts = self.lock();
        let named = service_accounts
            .iter()
            .filter(|(_, annotations)| read(annotations).role.as_ref() == Some(role));
        named.map(|(service_account, _)| service_account.clone()).collect()
    }

    /// The audiences of all tokens: the client ids of the OIDC provider.
    pub(crate) fn audiences(&self) -> Vec<Audience> {
        let service_accounts = self.lock();
        let own = |annotations| read(annotations).audience.unwrap_or_else(Audience::sts);
        let audiences: BTreeSet<Audience> = service_accounts.values().map(own).collect();
        audiences.into_iter().collect()
    }

    /// Adds a ServiceAccount with the role of `service_account` that no trust policy allows.
    pub(crate) fn add_untrusted(
        &self,
        service_account: &ServiceAccountRef,
    ) -> Result<ServiceAccountRef, Failure> {
        let untrusted = ServiceAccountRef::new(service_account.namespace(), UNTRUSTED);
        let untrusted =
            untrusted.map_err(|error| Failure::bug("adding a ServiceAccount", &error))?;
        self.put(&untrusted, self.annotations(service_account).unwrap_or_default());
        Ok(untrusted)
    }

    fn put(&self, service_account: &ServiceAccountRef, annotations: Annotations) {
        let facts = ServiceAccountFacts {
            uid: uid(service_account),
            annotations: read(&annotations),
            ..ServiceAccountFacts::default()
        };
        self.agent_map.insert(service_account.clone(), facts);
        self.lock().insert(service_account.clone(), annotations);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServiceAccountRef, Annotations>> {
        self.annotations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceAccounts for DemoServiceAccounts {
    async fn find(
        &self,
        service_account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccount>, LookupError> {
        Ok(self.annotations(service_account).map(|annotations| read(&annotations).into()))
    }

    async fn association(
        &self,
        _service_account: &ServiceAccountRef,
        _confirm: bool,
        _patience: Duration,
    ) -> Result<FoundAssociation, LookupError> {
        Ok(None)
    }

    async fn namespace_facts(
        &self,
        _namespace: &str,
        _patience: Duration,
    ) -> Result<Arc<NamespaceFacts>, LookupError> {
        Ok(Arc::default())
    }
}
