//! The objects that make API servers call the webhook, and those that decide whether they may.

use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service, ServiceAccount},
    discovery::v1::EndpointSlice,
    policy::v1::PodDisruptionBudget,
    rbac::v1::ClusterRole,
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams},
};
use std::collections::BTreeMap;

use serde_json::Value;

use super::{Cluster, ClusterError, apply, bounded};
use crate::registration::{Kind, Manifest, Owner, read};

impl Cluster {
    /// The objects of the ConfigMap.
    pub(crate) async fn registration(&self) -> Result<Vec<Manifest>, ClusterError> {
        let name = &self.config.registration;
        let found = bounded(self.namespaced::<ConfigMap>().get_opt(name)).await?;
        let full_name = || format!("{}/{name}", self.config.namespace);
        let missing = || ClusterError::Missing { kind: "ConfigMap", name: full_name() };
        let data = found.ok_or_else(missing)?.data.unwrap_or_default();
        read(&data).map_err(|error| ClusterError::Registration { name: full_name(), error })
    }

    /// The owner of objects without a namespace: the controller's ClusterRole. `None` if it is gone.
    pub(crate) async fn cluster_role(&self) -> Result<Option<Owner>, ClusterError> {
        let name = &self.config.name;
        let found = bounded(Api::<ClusterRole>::all(self.client.clone()).get_opt(name)).await?;
        let alive = found.filter(|it| it.metadata.deletion_timestamp.is_none());
        let uid = alive.and_then(|it| it.uid());
        let api_version = "rbac.authorization.k8s.io/v1";
        Ok(uid.map(|uid| Owner { api_version, kind: "ClusterRole", name: name.clone(), uid }))
    }

    /// The owner of objects in our namespace: the controller's ServiceAccount, which helm deletes later
    /// than the ClusterRole. So the Service goes after the configurations that name it.
    pub(crate) async fn service_account(&self) -> Result<Owner, ClusterError> {
        let name = &self.config.name;
        let found = bounded(self.namespaced::<ServiceAccount>().get_opt(name)).await?;
        let missing = || {
            let name = format!("{}/{name}", self.config.namespace);
            ClusterError::Missing { kind: "ServiceAccount", name }
        };
        let uid = found.and_then(|it| it.uid()).ok_or_else(missing)?;
        Ok(Owner { api_version: "v1", kind: "ServiceAccount", name: name.clone(), uid })
    }

    /// Whether a replica of the webhook can answer.
    pub(crate) async fn webhook_is_available(&self) -> Result<bool, ClusterError> {
        let webhook = self.deployment(&self.config.webhook).await?;
        let available = webhook.and_then(|it| it.status?.available_replicas).unwrap_or_default();
        Ok(available > 0)
    }

    /// The node of each replica of the webhook that is ready, by the replica's name. The Service's endpoints say it, so that no
    /// right to read pods is needed. With two address families each replica is in two lists.
    pub(crate) async fn ready_replicas(&self) -> Result<BTreeMap<String, String>, ClusterError> {
        let of_service = format!("kubernetes.io/service-name={}", self.config.webhook);
        let params = ListParams::default().labels(&of_service);
        let slices = bounded(self.namespaced::<EndpointSlice>().list(&params)).await?;
        let endpoints = slices.items.into_iter().flat_map(|slice| slice.endpoints);
        let ready = endpoints.filter(|endpoint| {
            endpoint.conditions.as_ref().is_none_or(|it| it.ready.unwrap_or(true))
        });
        Ok(ready.filter_map(|it| Some((it.target_ref?.name?, it.node_name?))).collect())
    }

    /// Whether the controller itself is being deleted.
    pub(crate) async fn is_being_deleted(&self) -> Result<bool, ClusterError> {
        let own = self.deployment(&self.config.name).await?;
        Ok(own.is_none_or(|it| it.metadata.deletion_timestamp.is_some()))
    }

    async fn deployment(&self, name: &str) -> Result<Option<Deployment>, ClusterError> {
        bounded(self.namespaced::<Deployment>().get_opt(name)).await
    }

    /// The object that the API server has in a manifest's place.
    pub(crate) async fn found(&self, wanted: &Manifest) -> Result<Option<Value>, ClusterError> {
        let found = bounded(self.objects(wanted.kind).get_opt(&wanted.name)).await?;
        let value = found.map(|found| serde_json::to_value(&found)).transpose();
        value.map_err(|error| ClusterError::Other(error.to_string()))
    }

    /// Applies a manifest in place of the version that was read.
    pub(crate) async fn apply(
        &self,
        wanted: &Manifest,
        found: Option<&Value>,
    ) -> Result<(), ClusterError> {
        apply(&self.objects(wanted.kind), &wanted.name, &wanted.replacing(found)).await.map(drop)
    }

    /// Returns whether there was such an object.
    pub(crate) async fn delete(&self, wanted: &Manifest) -> Result<bool, ClusterError> {
        let objects = self.objects(wanted.kind);
        match bounded(objects.delete(&wanted.name, &DeleteParams::default())).await {
            Ok(_) => Ok(true),
            Err(ClusterError::Other(_)) if self.found(wanted).await?.is_none() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn objects(&self, kind: Kind) -> Api<DynamicObject> {
        let resource = match kind {
            Kind::Mutating => ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            Kind::Validating => ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
            Kind::Service => ApiResource::erase::<Service>(&()),
            Kind::DisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
        };
        let client = self.client.clone();
        if kind.is_configuration() {
            Api::all_with(client, &resource)
        } else {
            Api::namespaced_with(client, &self.config.namespace, &resource)
        }
    }
}
