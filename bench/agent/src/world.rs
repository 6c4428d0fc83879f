//! The agent's environment: a scripted issuer, API server and STS.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
};

use anyhow::Context as _;
use axum::{Json, Router, extract::Path, routing::get};
use podrole_runtime::serve::{Limits, Server};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    exchange::Exchange,
    pods::{self, Pods},
    scripts,
    tokens::Tokens,
};

/// How STS and EKS Auth answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StsMode {
    Succeed,
    Deny,
    Unavailable,
    RejectToken,
}

pub(crate) struct World {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) url: String,
    pub(crate) script: Arc<Script>,
    pub(crate) pods: Arc<Pods>,
    folder: TempDir,
}

/// Controls the scripted services and counts their calls.
pub(crate) struct Script {
    mode: Mutex<StsMode>,
    /// The token that is rejected whatever the mode; none if empty.
    rejected: Mutex<String>,
    /// Lifetime of sessions in seconds.
    pub(crate) session_seconds: AtomicU64,
    calls: AtomicUsize,
    /// The time of each call.
    times: Mutex<Vec<Instant>>,
}

impl Script {
    pub(crate) fn set(&self, mode: StsMode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    pub(crate) fn reject(&self, token: &str) {
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone_into(&mut rejected);
    }

    /// Counts a call with `token` and returns how to answer it.
    pub(crate) fn call(&self, token: &str) -> StsMode {
        self.calls.fetch_add(1, SeqCst);
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        if !rejected.is_empty() && token.contains(&*rejected) {
            return StsMode::RejectToken;
        }
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of calls since the last call of this function.
    pub(crate) fn take_calls(&self) -> usize {
        self.calls.swap(0, SeqCst)
    }

    /// The times of the calls since the last call of this function.
    pub(crate) fn take_times(&self) -> Vec<Instant> {
        std::mem::take(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl World {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let server = Server::bind("127.0.0.1:0".parse()?, Limits::default()).await?;
        let url = format!("http://{}", server.address());
        let tokens = Arc::new(Tokens::of(url.clone())?);
        let script = Arc::new(Script {
            mode: Mutex::new(StsMode::Succeed),
            rejected: Mutex::default(),
            session_seconds: AtomicU64::new(3600),
            calls: AtomicUsize::new(0),
            times: Mutex::default(),
        });
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig(&url))?;
        let router = router(&tokens, &url).merge(scripts::router(Arc::clone(&script)));
        let pods = Pods::new();
        let router = router.merge(pods::router(Arc::clone(&pods)));
        tokio::spawn(server.run(router, CancellationToken::new()));
        Ok(Self { tokens, url, script, pods, folder })
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Mints the first token of a pod.
    pub(crate) fn token(
        &self,
        exchange: Exchange,
        service_account: &str,
        pod: &str,
    ) -> anyhow::Result<String> {
        self.tokens
            .token(exchange.audience(), service_account, pod, 0)
            .context("could not mint a token")
    }
}

pub(crate) fn kubeconfig(url: &str) -> String {
    // A kubeconfig may be JSON, which is a subset of YAML.
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {"server": url}}],
        "users": [{"name": "bench", "user": {}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
    })
    .to_string()
}

fn router(tokens: &Arc<Tokens>, url: &str) -> Router {
    let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/openid/v1/jwks")});
    let jwks = tokens.jwks();
    Router::new()
        .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
        .route("/openid/v1/jwks", get(async move || Json(jwks)))
        .route("/api/v1/namespaces/{namespace}", get(namespace))
        .route("/api/v1/namespaces/{namespace}/serviceaccounts/{name}", get(service_account))
}

async fn namespace(Path(name): Path<String>) -> Json<Value> {
    let kind = "PartialObjectMetadata";
    let permitted = json!({"podrole.io/permitted-roles": "arn:aws:iam::111122223333:role/*"});
    let metadata = json!({"name": name, "annotations": permitted});
    Json(json!({"apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": metadata}))
}

async fn service_account(Path((namespace, name)): Path<(String, String)>) -> Json<Value> {
    let role = format!("arn:aws:iam::111122223333:role/{name}");
    Json(json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {
            "namespace": namespace, "name": name, "uid": name, "resourceVersion": "1",
            "annotations": {"eks.amazonaws.com/role-arn": role},
        },
    }))
}
