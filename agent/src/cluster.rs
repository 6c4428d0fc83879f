//! The Kubernetes API. Only this file and those under it name its client.

mod events;
mod objects;
mod one_line;
mod pods;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use podrole_identity::{AnnotationRules, ServiceAccountRef};
use podrole_runtime::health::Gate;
use serde::Deserialize;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    events::Notice,
    resolve::{Lookup, NamespaceFacts, ServiceAccountFacts},
};
use one_line::one_line;
pub use pods::NodesPods;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the API server's timeout of a watch, so that only a dead connection is closed.
const READ_TIMEOUT: Duration = Duration::from_secs(305);

/// A client of the API server. Clones share its connections.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

/// Why there is no client of the API server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No usual configuration exists.
    #[error(
        "no cluster is configured; run in a pod with a ServiceAccount, or set --kubeconfig FILE"
    )]
    NotConfigured,
    /// The kubeconfig file cannot be used.
    #[error("--kubeconfig {}: {error}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: KubeconfigError,
    },
    /// The configuration is not one that a client can be built from.
    #[error("could not build the Kubernetes client: {0}")]
    Client(String),
}

#[derive(Deserialize)]
struct IssuerDocument {
    issuer: String,
}

impl Cluster {
    /// Connects with a kubeconfig file, or if there is none with the usual configuration: in-cluster,
    /// `KUBECONFIG`, `~/.kube/config`.
    ///
    /// # Errors
    /// If there is no configuration or it cannot be read.
    pub async fn connect(kubeconfig: Option<&Path>) -> Result<Self, ConnectError> {
        let mut config = match kubeconfig {
            Some(path) => read_kubeconfig(path).await?,
            None => Config::infer().await.map_err(|_| ConnectError::NotConfigured)?,
        };
        config.read_timeout = Some(READ_TIMEOUT);
        let client = Client::try_from(config);
        let client = client.map_err(|error| ConnectError::Client(one_line(&error)))?;
        Ok(Self { client })
    }

    /// Gets a path of the API server that is not a resource.
    ///
    /// # Errors
    /// Says in one line what went wrong.
    pub async fn get(&self, path: &str) -> Result<String, String> {
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| error.to_string())?;
        match timeout(TIMEOUT, self.client.request_text(request)).await {
            Ok(body) => body.map_err(|error| one_line(&error)),
            Err(_) => Err("no answer within 5 s".to_owned()),
        }
    }

    /// The issuer of the API server's tokens, from its discovery document.
    ///
    /// # Errors
    /// If the document cannot be read; setting `--issuer` avoids the need for it.
    pub async fn issuer(&self) -> Result<String, String> {
        let document = self.get("/.well-known/openid-configuration").await?;
        let document: Result<IssuerDocument, _> = serde_json::from_str(&document);
        document
            .map(|document| document.issuer)
            .map_err(|_| "the discovery document is not valid".to_owned())
    }

    /// Watches the pods of one node from now on. `listed` opens after the first complete list.
    #[must_use]
    pub fn pods(&self, node: &str, listed: Gate) -> NodesPods {
        pods::watch(&self.client, node, listed)
    }

    /// Looks up ServiceAccounts at the API server; put a cache in front of it.
    #[must_use]
    pub fn service_accounts(
        &self,
        rules: AnnotationRules,
    ) -> impl Lookup<ServiceAccountRef, ServiceAccountFacts> + use<> {
        objects::LiveServiceAccounts::new(&self.client, rules)
    }

    /// Looks up namespaces at the API server; put a cache in front of it.
    #[must_use]
    pub fn namespaces(&self) -> impl Lookup<String, NamespaceFacts> + use<> {
        objects::LiveNamespaces::new(&self.client)
    }

    /// Writes notices as Events on their pods, until the channel closes.
    pub fn write_events(&self, node: &str, notices: mpsc::Receiver<Notice>) {
        let (client, node) = (self.client.clone(), node.to_owned());
        tokio::spawn(async move { events::write(client, &node, notices).await });
    }
}

async fn read_kubeconfig(path: &Path) -> Result<Config, ConnectError> {
    let failed = |error| ConnectError::Kubeconfig { path: path.to_owned(), error };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    config.map_err(failed)
}
