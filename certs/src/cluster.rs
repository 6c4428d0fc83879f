//! What the controller reads and writes, and the Secret that the replicas read. The only module of this
//! crate that calls the Kubernetes API, apart from the client that others pass through.
//!
//! The controller's rights name each object, so all that it writes is applied (server-side apply): the
//! API server authorises an apply that creates as `patch` and as `create`, both with the object's name,
//! while a POST has no name, and a right to it cannot be limited to one (`tests/chart/rights.rs`).

pub(crate) mod follow;
mod lease;
mod objects;
mod secrets;

use std::{fmt, time::Duration};

use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

pub(crate) use secrets::StoredCas;

use crate::registration::RegistrationError;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The name under which the API server records which fields are ours.
const FIELD_MANAGER: &str = "podrole-controller";

/// Names of the objects that the controller reads and writes.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// The namespace of webhook and controller.
    pub namespace: String,
    /// The controller's own Deployment, Lease, ServiceAccount and ClusterRole.
    pub name: String,
    /// The webhook's Deployment. Its Secrets are `<webhook>-ca` and `<webhook>-serving`.
    pub webhook: String,
    /// The ConfigMap with the objects that make API servers call the webhook.
    pub registration: String,
    /// If there is no webhook: the name of the configurations that an earlier installation left, to be deleted.
    pub removed_webhook: Option<String>,
    /// Whether podrole issues the serving certificate.
    pub own_certificates: bool,
    /// What tells this replica from others: the pod's name.
    pub identity: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error("{kind} {name} does not exist; install the chart, or apply manifests/install.yaml")]
    Missing { kind: &'static str, name: String },
    #[error("ConfigMap {name}: {error}")]
    Registration { name: String, error: RegistrationError },
    /// The object changed between read and write. The next round tries again.
    #[error("another client changed the object first")]
    Conflict,
    /// The rights are gone, as at an uninstall, or were never given.
    #[error("the API server refused: {0}; give the controller the rights of the chart")]
    Forbidden(String),
    #[error("the API server did not answer within 5 s")]
    Timeout,
    #[error("the API server request failed: {0}")]
    Other(String),
}

pub(crate) struct Cluster {
    client: Client,
    config: ControllerConfig,
}

impl Cluster {
    pub(crate) fn new(client: Client, config: ControllerConfig) -> Self {
        Self { client, config }
    }

    pub(crate) fn config(&self) -> &ControllerConfig {
        &self.config
    }

    fn namespaced<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.config.namespace)
    }
}

/// Whether a replica of the webhook is ready, by the endpoints of its Service.
///
/// # Errors
/// Says in one line what went wrong.
pub async fn webhook_has_endpoint(
    client: &Client,
    config: &ControllerConfig,
) -> Result<bool, String> {
    let cluster = Cluster::new(client.clone(), config.clone());
    let replicas = cluster.ready_replicas().await.map_err(|error| error.to_string())?;
    Ok(!replicas.is_empty())
}

/// Applies `object`, whatever other clients wrote into its fields.
async fn apply<K>(
    api: &Api<K>,
    name: &str,
    object: &(impl Serialize + fmt::Debug),
) -> Result<K, ClusterError>
where
    K: Clone + DeserializeOwned + fmt::Debug,
{
    let params = PatchParams::apply(FIELD_MANAGER).force();
    bounded(api.patch(name, &params, &Patch::Apply(object))).await
}

async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
    match timeout(REQUEST_TIMEOUT, call).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(kube::Error::Api(status))) => Err(match status.code {
            409 => ClusterError::Conflict,
            401 | 403 => ClusterError::Forbidden(status.message),
            _ => ClusterError::Other(status.message),
        }),
        Ok(Err(error)) => Err(ClusterError::Other(error.to_string())),
        Err(_) => Err(ClusterError::Timeout),
    }
}
