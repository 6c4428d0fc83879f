//! Live reads. They give no resourceVersion, so the API server returns the most recent state, which
//! a watch of its or ours may not have reported yet.

use std::{future::Future, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{self as core, Namespace};
use kube::{Api, Client, api::ListParams};
use podrole_identity::{AnnotationRules, Association, Kind, NamespaceFacts, ServiceAccountRef};
use podrole_runtime::{error_text::with_root, objects};

use super::follow;
use crate::{
    FoundAssociation, LookupError, ServiceAccount, ServiceAccounts,
    associations::LiveAssociations,
    live_reads::{ListResult, LiveServiceAccounts, ReadResult},
    namespaces::LiveNamespaces,
};

#[derive(Clone)]
pub(super) struct LiveCluster {
    client: Client,
    reading: AnnotationRules,
}

impl LiveCluster {
    pub(super) fn new(client: Client, reading: AnnotationRules) -> Self {
        Self { client, reading }
    }

    async fn read_association(
        &self,
        service_account: &ServiceAccountRef,
    ) -> Result<FoundAssociation, kube::Error> {
        let name = Association::object_name(service_account);
        let api = objects::api(self.client.clone(), Kind::Association);
        let found = objects::get(&api, &name).await?;
        Ok(found
            .map(|mut object| Association::read_object(&name, &objects::take_spec(&mut object))))
    }
}

impl LiveServiceAccounts for LiveCluster {
    fn read(&self, service_account: &ServiceAccountRef) -> impl Future<Output = ReadResult> + Send {
        let (namespace, name) = (service_account.namespace(), service_account.name());
        let api = Api::<core::ServiceAccount>::namespaced(self.client.clone(), namespace);
        async move {
            let meta = api.get_metadata_opt(name).await.map_err(|error| {
                let error = with_root(&error);
                tracing::warn!(
                    namespace,
                    service_account = name,
                    error,
                    "could not read a ServiceAccount; its pod is not decided"
                );
                LookupError::Failed
            })?;
            Ok(meta.map(|meta| follow::versioned(meta, &self.reading)))
        }
    }

    fn list(&self, namespace: &str) -> impl Future<Output = ListResult> + Send {
        let api = Api::<core::ServiceAccount>::namespaced(self.client.clone(), namespace);
        async move {
            // In one page: a namespace has few ServiceAccounts, and pages would add round trips to
            // an admission that is waiting.
            let listed = api.list_metadata(&ListParams::default()).await.map_err(|error| {
                let error = with_root(&error);
                tracing::warn!(
                    namespace,
                    error,
                    "could not list a namespace's ServiceAccounts; its waiting pods are not decided"
                );
                LookupError::Failed
            })?;
            let found = listed.items.into_iter().filter_map(|meta| {
                let service_account = follow::service_account(&meta).ok()?;
                Some((service_account, follow::versioned(meta, &self.reading)))
            });
            Ok(found.collect())
        }
    }
}

impl LiveNamespaces for LiveCluster {
    async fn namespace_facts(
        &self,
        namespace: &str,
    ) -> Result<Option<NamespaceFacts>, LookupError> {
        let meta = Api::<Namespace>::all(self.client.clone()).get_metadata_opt(namespace).await;
        let meta = meta.map_err(|error| {
            let error = with_root(&error);
            tracing::warn!(namespace, error, "could not read a Namespace; its pod is not decided");
            LookupError::Namespace
        })?;
        Ok(meta.as_ref().map(follow::namespace_facts))
    }
}

impl LiveAssociations for LiveCluster {
    async fn association(
        &self,
        service_account: &ServiceAccountRef,
    ) -> Result<FoundAssociation, LookupError> {
        self.read_association(service_account).await.map_err(|error| {
            let (namespace, service_account) =
                (service_account.namespace(), service_account.name());
            let error = with_root(&error);
            tracing::warn!(
                namespace,
                service_account,
                error,
                "could not read a PodIdentityAssociation; its pod is not decided"
            );
            LookupError::Association
        })
    }
}

impl ServiceAccounts for LiveCluster {
    async fn find(
        &self,
        service_account: &ServiceAccountRef,
        _patience: Duration,
    ) -> Result<Option<ServiceAccount>, LookupError> {
        let found = self.read(service_account).await?;
        Ok(found.map(|found| Arc::unwrap_or_clone(found.found)))
    }

    /// Without the CRD, or without the right to read associations, a command goes on without them.
    async fn association(
        &self,
        service_account: &ServiceAccountRef,
        _confirm: bool,
        _patience: Duration,
    ) -> Result<FoundAssociation, LookupError> {
        match self.read_association(service_account).await {
            Err(kube::Error::Api(status)) if [403, 404].contains(&status.code) => Ok(None),
            found => found.map_err(|_| LookupError::Association),
        }
    }

    async fn namespace_facts(
        &self,
        namespace: &str,
        _patience: Duration,
    ) -> Result<Arc<NamespaceFacts>, LookupError> {
        let guard_rail = LiveNamespaces::namespace_facts(self, namespace).await?;
        guard_rail.map(Arc::new).ok_or(LookupError::Namespace)
    }
}
