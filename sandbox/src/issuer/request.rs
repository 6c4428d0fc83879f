//! A token request, and the claims of the token.

use jiff::Timestamp;
use podrole_identity::{Audience, ServiceAccountRef};
use serde_json::{Value, json};

/// A request for a token, like Kubernetes's TokenRequest.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The ServiceAccount that the token is for.
    pub service_account: ServiceAccountRef,
    /// The ServiceAccount's UID.
    pub service_account_uid: String,
    /// The token's audiences; at least one.
    pub audiences: Vec<Audience>,
    /// The token's life in seconds. Unlike Kubernetes, the sandbox also accepts less than 600.
    pub expiration_seconds: u32,
    /// The pod that the token is bound to.
    pub pod: Option<PodRef>,
    /// The node that the pod runs on.
    pub node: Option<NodeRef>,
}

/// A pod, as a bound token names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRef {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// A node, as a bound token names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRef {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl TokenRequest {
    /// The claims of a Kubernetes ServiceAccount token.
    pub(super) fn claims(&self, issuer: &str, now: Timestamp, jti: &str) -> Value {
        let account = &self.service_account;
        let mut bound = json!({
            "namespace": account.namespace(),
            "serviceaccount": {"name": account.name(), "uid": self.service_account_uid},
        });
        if let Some(pod) = &self.pod {
            bound["pod"] = json!({"name": pod.name, "uid": pod.uid});
        }
        if let Some(node) = &self.node {
            bound["node"] = json!({"name": node.name, "uid": node.uid});
        }
        let now = now.as_second();
        json!({
            "iss": issuer,
            "sub": account.subject(),
            "aud": self.audiences,
            "iat": now,
            "nbf": now,
            "exp": now + i64::from(self.expiration_seconds),
            "jti": jti,
            "kubernetes.io": bound,
        })
    }
}
