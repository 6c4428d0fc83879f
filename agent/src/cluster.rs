//! The Kubernetes API. Only this file and those under it name its client.

mod access;
mod associations;
mod connect;
mod events;
mod named;
mod pods;

use std::{path::Path, time::Duration};

use kube::Client;
use podrole_identity::{
    AnnotationPrefix, AnnotationRules, Guardrails, InjectionDefault, Kind, Patterns,
    ServiceAccountRef,
};
use podrole_runtime::{
    error_text::one_line,
    health::{Gate, Health},
    latest::Latest,
    objects::{self, Following},
};
use prometheus_client::metrics::gauge::Gauge;
use serde::Deserialize;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    events::Notice,
    resolve::{AssociationFacts, Lookup, NamespaceFacts, ServiceAccountFacts},
};
pub use connect::ConnectError;
pub use pods::NodesPods;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the API server. Clones share its connections.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
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
        let client = connect::connect(kubeconfig).await?;
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

    /// Watches the pods of one node from now on. The agent is not ready before the first complete list, nor while the
    /// API server refuses it. Annotations of pods have the prefix.
    #[must_use]
    pub fn pods(
        &self,
        node: &str,
        prefix: AnnotationPrefix,
        clock: &Clock,
        health: &Health,
    ) -> NodesPods {
        pods::watch(&self.client, node, prefix, clock, health)
    }

    /// Looks up ServiceAccounts at the API server; put a cache in front of it.
    #[must_use]
    pub fn service_accounts(
        &self,
        rules: AnnotationRules,
        health: &Health,
    ) -> impl Lookup<ServiceAccountRef, ServiceAccountFacts> + use<> {
        named::LiveServiceAccounts::new(&self.client, rules, health)
    }

    /// Looks up namespaces at the API server; put a cache in front of it.
    #[must_use]
    pub fn namespaces(
        &self,
        default: InjectionDefault,
        health: &Health,
    ) -> impl Lookup<String, NamespaceFacts> + use<> {
        named::LiveNamespaces::new(&self.client, default, health)
    }

    /// Looks up associations at the API server; put a cache in front of it.
    #[must_use]
    pub fn associations(
        &self,
        errors: Gauge,
        health: &Health,
    ) -> impl Lookup<ServiceAccountRef, AssociationFacts> + use<> {
        let readable = health.gate("the right to read PodIdentityAssociations");
        let following = self.following(Kind::Association, errors, readable);
        tokio::spawn(objects::wait_until_readable(following));
        associations::LiveAssociations::new(&self.client, health)
    }

    /// Follows all patterns, until `shutdown`.
    #[must_use]
    pub fn patterns(
        &self,
        errors: Gauge,
        health: &Health,
        shutdown: &CancellationToken,
    ) -> Latest<Patterns> {
        let first_list = health.gate("the first list of PodIdentityPatterns");
        objects::patterns(self.following(Kind::Pattern, errors, first_list), shutdown.clone())
    }

    /// Follows all guard-rails, until `shutdown`.
    #[must_use]
    pub fn guardrails(
        &self,
        errors: Gauge,
        health: &Health,
        shutdown: &CancellationToken,
    ) -> Latest<Guardrails> {
        let first_list = health.gate("the first list of PodIdentityGuardrails");
        objects::guardrails(self.following(Kind::Guardrail, errors, first_list), shutdown.clone())
    }

    fn following(&self, kind: Kind, errors: Gauge, first_list: Gate) -> Following {
        Following { client: self.client.clone(), kind, errors, first_list }
    }

    /// Writes notices as Events on their pods, until the channel closes.
    pub fn write_events(&self, node: &str, notices: mpsc::Receiver<Notice>) {
        let (client, node) = (self.client.clone(), node.to_owned());
        tokio::spawn(async move { events::write(client, &node, notices).await });
    }
}
