//! A stand-in for the API server that serves ServiceAccounts by list, watch and get. A real one
//! would use most of the CPU that the webhook is measured with.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::StreamExt as _;
use podrole_runtime::serve::{Limits, Server};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Name prefix of ServiceAccounts that exist and that neither list nor watch shows yet.
const LATE: &str = "late-";

pub(crate) struct ApiServer {
    pub(crate) url: String,
    stop: CancellationToken,
}

impl ApiServer {
    /// Serves `count` ServiceAccounts of 800 bytes, every tenth with a role. `bench/role-0` always
    /// exists.
    pub(crate) async fn start(count: usize) -> anyhow::Result<Self> {
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), Limits::default()).await?;
        let url = format!("http://{}", server.address());
        let stop = CancellationToken::new();
        let routes = Router::new()
            .route("/api/v1/serviceaccounts", get(list))
            .route("/api/v1/namespaces/{namespace}/serviceaccounts", get(late))
            .route("/api/v1/namespaces/{namespace}/serviceaccounts/{name}", get(one))
            .fallback(nothing)
            .with_state(Arc::new(count.max(1)));
        tokio::spawn(server.run(routes, stop.clone()));
        Ok(Self { url, stop })
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

type QueryParameters = Query<BTreeMap<String, String>>;

fn service_account(namespace: &str, name: &str) -> Value {
    let mut annotations = json!({"example.org/note": "n".repeat(400)});
    if name.starts_with("role-") || name.starts_with(LATE) {
        let role = format!("arn:aws:iam::111122223333:role/{name}");
        annotations["eks.amazonaws.com/role-arn"] = role.into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": format!("00000000-0000-4000-8000-{:0>12}", name.len()),
            "resourceVersion": "10",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": annotations,
        },
    })
}

fn numbered(index: usize) -> Value {
    let kind = if index.is_multiple_of(10) { "role" } else { "plain" };
    service_account("bench", &format!("{kind}-{index}"))
}

async fn list(State(count): State<Arc<usize>>, Query(query): QueryParameters) -> Response {
    if query.get("watch").is_some_and(|watch| watch != "false" && watch != "0") {
        return watch(*count, &query);
    }
    let read = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let first = read("continue").unwrap_or(0);
    let last = read("limit").map_or(*count, |limit| (first + limit).min(*count));
    let items: Vec<Value> = (first..last).map(numbered).collect();
    let next = (last < *count).then(|| last.to_string());
    page(&items, next)
}

fn page(items: &[Value], next: Option<String>) -> Response {
    Json(json!({
        "apiVersion": "v1",
        "kind": "ServiceAccountList",
        "metadata": {"resourceVersion": "10", "continue": next.unwrap_or_default()},
        "items": items,
    }))
    .into_response()
}

/// A watch without events. Newer clients ask for `sendInitialEvents`: then it starts with all
/// objects and a bookmark.
fn watch(count: usize, query: &BTreeMap<String, String>) -> Response {
    let initial = query.get("sendInitialEvents").is_some_and(|send| send == "true");
    let all = (0..count).map(|index| json!({"type": "ADDED", "object": numbered(index)}));
    let end = json!({"type": "BOOKMARK", "object": {"kind": "ServiceAccount", "apiVersion": "v1",
        "metadata": {"resourceVersion": "10", "annotations":
            {"k8s.io/initial-events-end": "true"}}}});
    let first = all.chain([end]).take(if initial { count + 1 } else { 0 });
    let lines = first.map(|event| Ok::<_, std::convert::Infallible>(format!("{event}\n").into()));
    let nothing = futures::stream::pending::<Result<Bytes, std::convert::Infallible>>();
    let mut response =
        Response::new(Body::from_stream(futures::stream::iter(lines).chain(nothing)));
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}

/// The ServiceAccounts of the burst, for a webhook that lists a namespace.
async fn late(Path(namespace): Path<String>, Query(query): QueryParameters) -> Response {
    if query.contains_key("watch") {
        return watch(0, &query);
    }
    let late = (0..200).map(|index| service_account(&namespace, &format!("{LATE}{index}")));
    page(&late.collect::<Vec<_>>(), None)
}

async fn one(Path((namespace, name)): Path<(String, String)>) -> Json<Value> {
    Json(service_account(&namespace, &name))
}

/// Lists of other kinds are empty.
async fn nothing(Query(query): QueryParameters) -> Response {
    if query.contains_key("watch") {
        return watch(0, &query);
    }
    let empty = json!({"apiVersion": "v1", "kind": "List",
        "metadata": {"resourceVersion": "10"}, "items": []});
    (StatusCode::OK, Json(empty)).into_response()
}
