//! The Secret that the replicas share, and the `caBundle` and paths that the API server reads. The only
//! module of this crate that calls the Kubernetes API, apart from the client that the rotator
//! passes through.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
        core::v1::Secret,
    },
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    CaBundle,
    client_config::{ClientConfig, Route},
    path_segment::PathSegment,
};

/// The Secret's key for the CAs with their private keys.
const AUTHORITIES: &str = "authorities.json";
/// The Secret's key for the CA certificates, for people and other tools; podrole never reads it.
const BUNDLE: &str = "ca.crt";
/// The Secret's key for the secret part of the webhook's path.
const SEGMENT: &str = "path-segment";
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Names of the objects that the rotator reads and writes.
#[derive(Clone, Debug)]
pub struct RotatorConfig {
    /// The namespace of the webhook and of the Secret.
    pub namespace: String,
    /// The Secret that holds the CAs. It must exist and may be empty.
    pub secret: String,
    /// The DNS names or IP addresses by which the API server calls the webhook:
    /// `<service>.<namespace>.svc`, or the host of a URL. The self-check uses the first one.
    pub names: Vec<String>,
    /// The name of both our MutatingWebhookConfiguration and our ValidatingWebhookConfiguration.
    pub configuration: String,
    /// The paths to call, each after the secret segment. Without any, paths are left as they are.
    pub routes: Vec<Route>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error(
        "Secret {0} does not exist; create it empty (kubectl create secret generic) or install the chart"
    )]
    NoSecret(String),
    #[error(
        "MutatingWebhookConfiguration {0} does not exist; apply manifests/webhook-configuration.yaml"
    )]
    NoConfiguration(String),
    /// The object changed between read and write. The next poll tries again.
    #[error("another client changed the object first")]
    Conflict,
    #[error("the API server did not answer within 5 s")]
    Timeout,
    #[error("the API server request failed: {0}")]
    Other(String),
}

/// The Secret as read, with its resourceVersion.
pub(crate) struct SharedSecret {
    secret: Secret,
    /// `None` if the Secret is empty or cannot be parsed.
    pub(crate) ca_bundle: Option<CaBundle>,
    /// The Secret has content that cannot be parsed.
    pub(crate) unreadable: bool,
    /// The secret part of the webhook's path, if there is one that can be used.
    pub(crate) segment: Option<String>,
}

pub(crate) struct Cluster {
    client: Client,
    config: RotatorConfig,
}

impl Cluster {
    pub(crate) fn new(client: Client, config: RotatorConfig) -> Self {
        Self { client, config }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.config.names.clone()
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.config.namespace)
    }

    pub(crate) async fn read(&self) -> Result<SharedSecret, ClusterError> {
        let name = &self.config.secret;
        let secret = bounded(self.secrets().get_opt(name)).await?;
        let full_name = || format!("{}/{name}", self.config.namespace);
        let secret = secret.ok_or_else(|| ClusterError::NoSecret(full_name()))?;
        let stored = secret.data.as_ref().and_then(|data| data.get(AUTHORITIES));
        let ca_bundle = stored.and_then(|stored| serde_json::from_slice(&stored.0).ok());
        let unreadable = stored.is_some() && ca_bundle.is_none();
        let segment = secret.data.as_ref().and_then(|data| data.get(SEGMENT));
        let segment = segment.and_then(|segment| String::from_utf8(segment.0.clone()).ok());
        let segment = segment.filter(|segment| PathSegment::is_usable(segment));
        Ok(SharedSecret { secret, ca_bundle, unreadable, segment })
    }

    /// Writes the Secret. Fails with [`ClusterError::Conflict`] if it changed since it was read.
    pub(crate) async fn write(
        &self,
        shared: SharedSecret,
        ca_bundle: &CaBundle,
        segment: &str,
    ) -> Result<(), ClusterError> {
        let mut secret = shared.secret;
        let stored = serde_json::to_vec(ca_bundle);
        let stored = stored.map_err(|error| ClusterError::Other(error.to_string()))?;
        let bundle = ca_bundle.to_pem().into_bytes();
        let data = secret.data.get_or_insert_with(BTreeMap::new);
        data.insert(AUTHORITIES.to_owned(), ByteString(stored));
        data.insert(BUNDLE.to_owned(), ByteString(bundle));
        data.insert(SEGMENT.to_owned(), ByteString(segment.as_bytes().to_vec()));
        // The resourceVersion is sent too, so that the API server rejects a lost update: two
        // replicas that mint at once must agree on one CA.
        let (secrets, params) = (self.secrets(), PostParams::default());
        bounded(secrets.replace(&self.config.secret, &params, &secret)).await.map(drop)
    }

    /// Writes `bundle` and the paths after `segment` into each of our configurations that has
    /// others. Returns whether anything was written.
    pub(crate) async fn publish(&self, bundle: &str, segment: &str) -> Result<bool, ClusterError> {
        let client = ClientConfig { bundle, segment, routes: &self.config.routes };
        let mutating = self.update::<MutatingWebhookConfiguration>(&client).await?;
        let name = || self.config.configuration.clone();
        let mutating = mutating.ok_or_else(|| ClusterError::NoConfiguration(name()))?;
        // The validating configuration only produces warnings. An error here must not stop the
        // mutating one from being published.
        let validating = match self.update::<ValidatingWebhookConfiguration>(&client).await {
            Ok(changed) => changed.unwrap_or(false),
            Err(ClusterError::Conflict) => false,
            Err(error) => {
                tracing::warn!(
                    %error,
                    "could not update the caBundle of the validating configuration; retrying"
                );
                false
            }
        };
        Ok(mutating || validating)
    }

    /// Returns whether the configuration was changed, or `None` if it does not exist.
    async fn update<K>(&self, client: &ClientConfig<'_>) -> Result<Option<bool>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
    {
        let (api, name) = (Api::<K>::all(self.client.clone()), &self.config.configuration);
        let Some(found) = bounded(api.get_opt(name)).await? else { return Ok(None) };
        let found = serde_json::to_value(&found);
        let found = found.map_err(|error| ClusterError::Other(error.to_string()))?;
        let operations = client.patch(&found);
        if operations.is_empty() {
            return Ok(Some(false));
        }
        let patch = serde_json::from_value(Value::Array(operations));
        let patch = patch.map_err(|error| ClusterError::Other(error.to_string()))?;
        let patch = Patch::Json::<()>(patch);
        bounded(api.patch(name, &PatchParams::default(), &patch)).await?;
        Ok(Some(true))
    }
}

async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
    match timeout(REQUEST_TIMEOUT, call).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 409 | 422) => {
            Err(ClusterError::Conflict)
        }
        Ok(Err(error)) => Err(ClusterError::Other(error.to_string())),
        Err(_) => Err(ClusterError::Timeout),
    }
}
