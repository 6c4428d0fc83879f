//! A stand-in for the API server: a namespace `shop` whose ServiceAccounts are so new that no watch
//! shows them. A real one would use most of the CPU that the attack needs.

use std::{collections::BTreeMap, convert::Infallible, net::Ipv4Addr};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::StreamExt as _;
use podrole_runtime::serve::{Limits, Server};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The only namespace.
pub(crate) const NAMESPACE: &str = "shop";
/// How the names of ServiceAccounts that exist begin.
pub(crate) const NEW: &str = "new-";

pub(crate) struct ApiServer {
    pub(crate) url: String,
    _stop: DropGuard,
}

impl ApiServer {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), Limits::default()).await?;
        let url = format!("http://{}", server.address());
        let stop = CancellationToken::new();
        let routes = Router::new()
            .route("/api/v1/namespaces", get(namespaces))
            .route("/api/v1/namespaces/{namespace}/serviceaccounts", get(nothing))
            .route("/api/v1/namespaces/{namespace}/serviceaccounts/{name}", get(one))
            .fallback(nothing);
        tokio::spawn(server.run(routes, stop.clone()));
        Ok(Self { url, _stop: stop.drop_guard() })
    }
}

type Parameters = Query<BTreeMap<String, String>>;

async fn namespaces(Query(query): Parameters) -> Response {
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": NAMESPACE, "uid": "u-1", "resourceVersion": "10"}});
    list(&query, &[shop])
}

async fn nothing(Query(query): Parameters) -> Response {
    list(&query, &[])
}

/// A list, or a watch without events. Newer clients ask for `sendInitialEvents`: then the watch
/// starts with all objects and a bookmark.
fn list(query: &BTreeMap<String, String>, items: &[Value]) -> Response {
    let metadata = json!({"resourceVersion": "10"});
    if query.get("watch").is_none_or(|watch| watch == "false") {
        return Json(json!({"apiVersion": "v1", "kind": "List", "metadata": metadata,
            "items": items}))
        .into_response();
    }
    let initial = query.get("sendInitialEvents").is_some_and(|send| send == "true");
    let end = json!({"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "Object",
        "metadata": {"resourceVersion": "10",
            "annotations": {"k8s.io/initial-events-end": "true"}}}});
    let added = items.iter().map(|item| json!({"type": "ADDED", "object": item}));
    let events: Vec<_> = added.chain([end]).filter(|_| initial).collect();
    let lines = events.into_iter().map(|event| Ok::<_, Infallible>(format!("{event}\n").into()));
    let silence = futures::stream::pending::<Result<Bytes, Infallible>>();
    let mut response =
        Response::new(Body::from_stream(futures::stream::iter(lines).chain(silence)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn one(Path((namespace, name)): Path<(String, String)>) -> Response {
    if namespace != NAMESPACE || !name.starts_with(NEW) {
        let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure",
            "reason": "NotFound", "code": 404, "message": "not found"});
        return (StatusCode::NOT_FOUND, Json(status)).into_response();
    }
    let role = format!("arn:aws:iam::111122223333:role/{name}");
    Json(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
        "name": name, "namespace": namespace, "uid": "u-2", "resourceVersion": "11",
        "annotations": {"eks.amazonaws.com/role-arn": role}}}))
    .into_response()
}
