//! The scripted API server's pods: one, which can be deleted.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;

const APP: &str = "app-1";

/// Whether the pod `app-1` exists.
pub(crate) struct Pods(watch::Sender<bool>);

impl Pods {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(true)))
    }

    pub(crate) fn delete(&self) {
        self.0.send_replace(false);
    }

    pub(crate) fn create(&self) {
        self.0.send_replace(true);
    }

    fn exist(&self) -> bool {
        *self.0.borrow()
    }
}

pub(crate) fn router(pods: Arc<Pods>) -> Router {
    Router::new()
        .route("/api/v1/pods", get(list))
        .route("/api/v1/namespaces/{namespace}/pods/{name}", get(one))
        .with_state(pods)
}

async fn list(
    State(pods): State<Arc<Pods>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if query.contains_key("watch") {
        let changes = futures::stream::unfold(pods.0.subscribe(), async |mut changes| {
            changes.changed().await.ok()?;
            let kind = if *changes.borrow_and_update() { "ADDED" } else { "DELETED" };
            let line = format!("{}\n", json!({"type": kind, "object": app()}));
            Some((Ok::<_, Infallible>(Bytes::from(line)), changes))
        });
        return Body::from_stream(changes.boxed()).into_response();
    }
    let items = if pods.exist() { vec![app()] } else { Vec::new() };
    let metadata = json!({"resourceVersion": "1"});
    Json(json!({"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": items}))
        .into_response()
}

async fn one(State(pods): State<Arc<Pods>>, Path((_, name)): Path<(String, String)>) -> Response {
    if name == APP && pods.exist() {
        return Json(app()).into_response();
    }
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 404,
        "reason": "NotFound", "message": "there is no such pod"});
    (StatusCode::NOT_FOUND, Json(status)).into_response()
}

/// A running pod on `node`; its UID is its name.
pub(crate) fn pod(namespace: &str, name: &str, node: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1"},
        "spec": {"nodeName": node, "serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]},
    })
}

fn app() -> Value {
    pod("bench", APP, "bench")
}
