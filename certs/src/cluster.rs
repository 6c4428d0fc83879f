//! The cluster's part: the Secret that the replicas share, and the `caBundle` that the API server
//! reads. Nothing else here knows the Kubernetes client.

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
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::Generations;

/// The CAs with their keys, in the Secret.
const KEPT: &str = "authorities.json";
/// What clients must trust, beside it, for people.
const BUNDLE: &str = "ca.crt";
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the certificates' things stand.
#[derive(Clone, Debug)]
pub struct Place {
    /// The webhook's namespace.
    pub namespace: String,
    /// The Secret that holds the CAs.
    pub secret: String,
    /// The names under which the API server calls the webhook: `<service>.<namespace>.svc`, or
    /// the host of a URL. The first one is tried out.
    pub names: Vec<String>,
    /// The name of our MutatingWebhookConfiguration, and of our ValidatingWebhookConfiguration.
    pub configuration: String,
}

/// What the cluster could not do for us.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// There is no such Secret.
    #[error(
        "there is no Secret {0}; create it empty (kubectl create secret generic), or install the chart"
    )]
    NoSecret(String),
    /// There is no such configuration.
    #[error(
        "there is no MutatingWebhookConfiguration {0}; apply manifests/webhook-configuration.yaml"
    )]
    NoConfiguration(String),
    /// Somebody else wrote in between: it is tried again.
    #[error("another replica wrote first")]
    Conflict,
    /// The API server did not answer in time.
    #[error("the API server took longer than 5 s")]
    Slow,
    /// The API server said no, or is not to be reached.
    #[error("the API server: {0}")]
    Other(String),
}

/// The Secret as it was read.
pub(crate) struct Shared {
    secret: Secret,
    /// What it holds; none where it is empty or cannot be read.
    pub(crate) generations: Option<Generations>,
    /// It holds something that cannot be read.
    pub(crate) unreadable: bool,
}

/// Speaks with the API server about one webhook's certificates.
pub(crate) struct Cluster {
    client: Client,
    place: Place,
}

impl Cluster {
    pub(crate) fn new(client: Client, place: Place) -> Self {
        Self { client, place }
    }

    /// The names under which the API server calls.
    pub(crate) fn names(&self) -> Vec<String> {
        self.place.names.clone()
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.place.namespace)
    }

    /// Reads the Secret.
    pub(crate) async fn read(&self) -> Result<Shared, ClusterError> {
        let name = &self.place.secret;
        let secret = bounded(self.secrets().get_opt(name)).await?;
        let path = || format!("{}/{name}", self.place.namespace);
        let secret = secret.ok_or_else(|| ClusterError::NoSecret(path()))?;
        let kept = secret.data.as_ref().and_then(|data| data.get(KEPT));
        let generations = kept.and_then(|kept| serde_json::from_slice(&kept.0).ok());
        let unreadable = kept.is_some() && generations.is_none();
        Ok(Shared { secret, generations, unreadable })
    }

    /// Writes the Secret, unless somebody else did since it was read.
    pub(crate) async fn write(
        &self,
        shared: Shared,
        generations: &Generations,
    ) -> Result<(), ClusterError> {
        let mut secret = shared.secret;
        let kept = serde_json::to_vec(generations);
        let kept = kept.map_err(|error| ClusterError::Other(error.to_string()))?;
        let bundle = generations.bundle().into_bytes();
        let data = secret.data.get_or_insert_with(BTreeMap::new);
        data.insert(KEPT.to_owned(), ByteString(kept));
        data.insert(BUNDLE.to_owned(), ByteString(bundle));
        // The resourceVersion goes along, so that the API server refuses a lost update.
        let (secrets, params) = (self.secrets(), PostParams::default());
        bounded(secrets.replace(&self.place.secret, &params, &secret)).await.map(drop)
    }

    /// Puts `bundle` into our configurations where they have another. Says whether it had to.
    pub(crate) async fn publish(&self, bundle: &str) -> Result<bool, ClusterError> {
        let mutating = self.heal::<MutatingWebhookConfiguration>(bundle).await?;
        let name = || self.place.configuration.clone();
        let mutating = mutating.ok_or_else(|| ClusterError::NoConfiguration(name()))?;
        // It only warns: what keeps it from being put right keeps nobody from being injected.
        let validating = match self.heal::<ValidatingWebhookConfiguration>(bundle).await {
            Ok(healed) => healed.unwrap_or(false),
            Err(ClusterError::Conflict) => false,
            Err(error) => {
                tracing::warn!(%error, "the caBundle of our validating configuration is not looked after");
                false
            }
        };
        Ok(mutating || validating)
    }

    /// None where there is no such configuration.
    async fn heal<K>(&self, bundle: &str) -> Result<Option<bool>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
    {
        let (api, name) = (Api::<K>::all(self.client.clone()), &self.place.configuration);
        let Some(found) = bounded(api.get_opt(name)).await? else { return Ok(None) };
        let found = serde_json::to_value(&found);
        let found = found.map_err(|error| ClusterError::Other(error.to_string()))?;
        let operations = healing(&found, bundle);
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

/// What must change so that every webhook of a configuration has `bundle`. The first operation
/// holds only for the object as it was read, so that no index can mean another webhook.
fn healing(configuration: &Value, bundle: &str) -> Vec<Value> {
    let encoded = json!(ByteString(bundle.as_bytes().to_vec()));
    let webhooks = configuration.get("webhooks").and_then(Value::as_array).into_iter().flatten();
    let wrong = webhooks
        .enumerate()
        .filter(|(_, webhook)| webhook.pointer("/clientConfig/caBundle") != Some(&encoded));
    let mut operations: Vec<Value> = wrong
        .map(|(index, _)| {
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            json!({"op": "add", "path": path, "value": encoded})
        })
        .collect();
    if !operations.is_empty() {
        let version = configuration.pointer("/metadata/resourceVersion");
        let path = "/metadata/resourceVersion";
        operations.insert(0, json!({"op": "test", "path": path, "value": version}));
    }
    operations
}

async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
    match timeout(PATIENCE, call).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 409 | 422) => {
            Err(ClusterError::Conflict)
        }
        Ok(Err(error)) => Err(ClusterError::Other(error.to_string())),
        Err(_) => Err(ClusterError::Slow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_healed_and_only_in_the_object_that_was_read() {
        let ours = json!(ByteString(b"ours".to_vec()));
        let configuration = json!({"metadata": {"resourceVersion": "7"}, "webhooks": [
            {"name": "a", "clientConfig": {"caBundle": ours}},
            {"name": "b", "clientConfig": {"caBundle": "Zm9yZWlnbg=="}},
            {"name": "c", "clientConfig": {}}]});
        let operations = healing(&configuration, "ours");
        assert_eq!(operations[0]["op"], "test");
        assert_eq!(operations[0]["value"], "7");
        let paths: Vec<_> =
            operations[1..].iter().map(|one| one["path"].as_str().unwrap()).collect();
        assert_eq!(
            paths,
            ["/webhooks/1/clientConfig/caBundle", "/webhooks/2/clientConfig/caBundle"]
        );
        let healed = json!({"webhooks": [{"clientConfig": {"caBundle": ours}}]});
        assert!(healing(&healed, "ours").is_empty());
    }
}
