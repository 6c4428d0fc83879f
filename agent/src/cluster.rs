//! Kubernetes: this file and those under it are the only ones that name its client.

mod events;
mod objects;
mod pods;

use std::{path::Path, sync::Arc, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use podrole_identity::{AnnotationRules, ServiceAccountRef};
use podrole_runtime::health::Gate;
use serde::Deserialize;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    events::Notice,
    node::{Pods, Seen},
    resolve::{Lookup, NamespaceFacts, ServiceAccountFacts},
};

const TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the watch's own time-out, so that only a dead connection is cut.
const READ_TIMEOUT: Duration = Duration::from_secs(305);

/// A connection to the API server. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

/// The pods of one node, as they come and go.
pub struct NodesPods {
    /// Where they are looked up.
    pub pods: Arc<dyn Pods>,
    /// Each pod once, when it is first seen.
    pub newcomers: mpsc::UnboundedReceiver<Seen>,
    /// The UIDs of pods that go.
    pub gone: mpsc::UnboundedReceiver<String>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

impl Cluster {
    /// Connects with a kubeconfig file, or as pods and people do: in-cluster, `KUBECONFIG`, `~/.kube`.
    ///
    /// # Errors
    /// One line with the mend.
    pub async fn connect(kubeconfig: Option<&Path>) -> Result<Self, String> {
        let mut config = match kubeconfig {
            Some(path) => read_kubeconfig(path).await?,
            None => Config::infer().await.map_err(|_| {
                "no cluster is configured: run in a pod with a ServiceAccount, or give --kubeconfig"
            })?,
        };
        config.read_timeout = Some(READ_TIMEOUT);
        let client = Client::try_from(config);
        let client = client.map_err(|error| format!("the Kubernetes client: {error}"))?;
        Ok(Self { client })
    }

    /// The body at a path of the API server's own.
    ///
    /// # Errors
    /// One line that says what went wrong.
    pub async fn get(&self, path: &str) -> Result<String, String> {
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| error.to_string())?;
        match timeout(TIMEOUT, self.client.request_text(request)).await {
            Ok(body) => body.map_err(|error| one_line(&error)),
            Err(_) => Err("no answer within 5 s".to_owned()),
        }
    }

    /// The issuer of the tokens that the API server makes.
    ///
    /// # Errors
    /// When it does not say; the mend is `--issuer`.
    pub async fn issuer(&self) -> Result<String, String> {
        let document = self.get("/.well-known/openid-configuration").await?;
        let document: Result<Discovery, _> = serde_json::from_str(&document);
        document
            .map(|document| document.issuer)
            .map_err(|_| "the discovery document is not what OIDC says".to_owned())
    }

    /// Watches the pods of one node from now on; `listed` opens with the first whole list.
    #[must_use]
    pub fn pods(&self, node: &str, listed: Gate) -> NodesPods {
        pods::watch(&self.client, node, listed)
    }

    /// ServiceAccounts as they are now; a memory before it spares the API server.
    #[must_use]
    pub fn service_accounts(
        &self,
        rules: AnnotationRules,
    ) -> impl Lookup<ServiceAccountRef, ServiceAccountFacts> + use<> {
        objects::LiveServiceAccounts::new(&self.client, rules)
    }

    /// Namespaces as they are now; a memory before it spares the API server.
    #[must_use]
    pub fn namespaces(&self) -> impl Lookup<String, NamespaceFacts> + use<> {
        objects::LiveNamespaces::new(&self.client)
    }

    /// Writes notices as Events on their pods, until nobody sends any.
    pub fn write_events(&self, node: &str, notices: mpsc::Receiver<Notice>) {
        let (client, node) = (self.client.clone(), node.to_owned());
        tokio::spawn(async move { events::write(client, &node, notices).await });
    }
}

async fn read_kubeconfig(path: &Path) -> Result<Config, String> {
    let failed = |error| format!("--kubeconfig {}: {error}", path.display());
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    config.map_err(failed)
}

fn one_line(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    let text = format!("{error}{}", cause.unwrap_or_default());
    text.replace(char::is_control, " ").chars().take(300).collect()
}
