//! The objects of a large cluster: 100 ServiceAccounts in each namespace, each with an association.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{Method, Request};
use kube::Client;
use podrole_identity::ServiceAccountRef;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api_server::ApiServer;

const IN_A_NAMESPACE: usize = 100;
const CONNECTIONS: usize = 4;
/// Requests in flight, over all connections.
const AT_ONCE: usize = 128;
const KINDS: &str = "/apis/podrole.io/v1alpha1/podidentityassociations";

pub(crate) struct Objects {
    count: usize,
}

/// What is created, in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Namespaces,
    ServiceAccounts,
    Associations,
    /// Of the associations, as the controller writes them.
    Statuses,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "namespaces",
            Self::ServiceAccounts => "ServiceAccounts",
            Self::Associations => "associations",
            Self::Statuses => "statuses of them",
        })
    }
}

/// A request that creates or changes one object.
struct Change {
    method: Method,
    path: String,
    content_type: &'static str,
    body: Value,
}

impl Objects {
    pub(crate) fn new(count: usize) -> Self {
        Self { count }
    }

    pub(crate) fn namespaces(&self) -> usize {
        self.count.div_ceil(IN_A_NAMESPACE)
    }

    /// The namespace and the name of a ServiceAccount.
    pub(crate) fn service_account(&self, number: usize) -> (String, String) {
        (format!("team-{:04}", number / IN_A_NAMESPACE), format!("checkout-service-{number:06}"))
    }

    /// One of `all` ServiceAccounts that are spread over all namespaces.
    pub(crate) fn spread(&self, number: usize, all: usize) -> (String, String) {
        self.service_account(number * (self.count / all.max(1)).max(1) % self.count.max(1))
    }

    /// The name of its association.
    pub(crate) fn association(&self, number: usize) -> anyhow::Result<String> {
        let (namespace, name) = self.service_account(number);
        let service_account = ServiceAccountRef::new(&namespace, &name)?;
        Ok(podrole_identity::Association::object_name(&service_account))
    }

    /// Creates all objects of a step. Returns how long it took.
    pub(crate) async fn create(&self, server: &ApiServer, step: Step) -> anyhow::Result<Duration> {
        let count = if step == Step::Namespaces { self.namespaces() } else { self.count };
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(server.client().await?);
        }
        let (begun, done, tenth) = (Instant::now(), AtomicUsize::new(0), count.div_ceil(10));
        let one = async |number: usize| {
            let client = clients.get(number % CONNECTIONS).context("a client")?;
            send(client, self.change(step, number)?).await?;
            let done = done.fetch_add(1, Relaxed) + 1;
            if done.is_multiple_of(tenth) {
                eprintln!("  {done} of {count} {step} after {:.0?}", begun.elapsed());
            }
            anyhow::Ok(())
        };
        stream::iter(0..count).map(one).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(begun.elapsed())
    }

    /// Reads one association: a new API server loads the kind into its memory when it is first asked for it.
    pub(crate) async fn load(&self, server: &ApiServer) -> anyhow::Result<()> {
        server.get(&format!("{KINDS}?limit=1")).await.map(drop)
    }

    /// How long all of them take to read in pages of 500, as the webhook asks for them, without a use for what was read.
    pub(crate) async fn list(&self, server: &ApiServer) -> anyhow::Result<Duration> {
        let (begun, mut next) = (Instant::now(), String::new());
        loop {
            let page = server.get(&format!("{KINDS}?limit=500&continue={next}")).await?;
            let Page { metadata } = serde_json::from_str(&page)?;
            next = match metadata.next {
                Some(token) if !token.is_empty() => token,
                _ => return Ok(begun.elapsed()),
            };
        }
    }

    /// The size of one that the API server returns.
    pub(crate) async fn size_of_association(&self, server: &ApiServer) -> anyhow::Result<usize> {
        Ok(server.get(&format!("{KINDS}/{}", self.association(0)?)).await?.len())
    }

    fn change(&self, step: Step, number: usize) -> anyhow::Result<Change> {
        let (namespace, name) = self.service_account(number);
        let post = |path: String, body: Value| Change {
            method: Method::POST,
            path: format!("{path}?fieldManager=argocd-controller"),
            content_type: "application/json",
            body,
        };
        Ok(match step {
            Step::Namespaces => post("/api/v1/namespaces".to_owned(), namespace_object(number)),
            Step::ServiceAccounts => post(
                format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
                json!({"metadata": {"name": name}}),
            ),
            Step::Associations => {
                post(KINDS.to_owned(), self.association_object(number, &namespace, &name)?)
            }
            Step::Statuses => {
                let object = self.association(number)?;
                Change {
                    method: Method::PATCH,
                    path: format!(
                        "{KINDS}/{object}/status?fieldManager=podrole-controller&force=true"
                    ),
                    content_type: "application/apply-patch+yaml",
                    body: status_of(&object, &format!("{namespace}/{name}")),
                }
            }
        })
    }

    fn association_object(
        &self,
        number: usize,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<Value> {
        let labels =
            json!({"app.kubernetes.io/managed-by": "argocd", "example.com/team": namespace});
        Ok(json!({
            "apiVersion": "podrole.io/v1alpha1",
            "kind": "PodIdentityAssociation",
            "metadata": {"name": self.association(number)?, "labels": labels},
            "spec": {"namespace": namespace, "serviceAccount": name, "roleARN": role(namespace, name)},
        }))
    }
}

fn role(namespace: &str, name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/production/{namespace}/{name}")
}

/// A namespace whose pods are injected with container credentials.
fn namespace_object(number: usize) -> Value {
    let labels = json!({"podrole.io/injection": "enabled", "podrole.io/credentials": "container"});
    json!({"metadata": {"name": format!("team-{number:04}"), "labels": labels}})
}

/// As the controller writes it.
fn status_of(object: &str, service_account: &str) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": "True", "reason": reason, "message": message,
            "observedGeneration": 1, "lastTransitionTime": "2026-01-31T12:00:00Z"})
    };
    let message = format!("pods of {service_account} get the role");
    let conditions = json!([
        condition("Accepted", "Valid", &message),
        condition("Ready", "Valid", &message),
        condition("ServiceAccountFound", "Found", "the ServiceAccount exists"),
    ]);
    json!({"apiVersion": "podrole.io/v1alpha1", "kind": "PodIdentityAssociation",
        "metadata": {"name": object}, "status": {"observedGeneration": 1, "conditions": conditions}})
}

async fn send(client: &Client, change: Change) -> anyhow::Result<()> {
    let Change { method, path, content_type, body } = change;
    let request = Request::builder().method(method).uri(&path);
    let request = request.header("content-type", content_type);
    client.request_text(request.body(body.to_string().into_bytes())?).await.context(path)?;
    Ok(())
}

#[derive(Deserialize)]
struct Page {
    metadata: PageMetadata,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}
