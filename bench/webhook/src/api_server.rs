//! A stand-in for the API server: ServiceAccounts by list, by watch and one at a time. A real one
//! would take most of the processor, and the webhook is what is measured.

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

/// Accounts that exist, and that neither the list nor the watch has yet.
const LATE: &str = "late-";

pub(crate) struct ApiServer {
    pub(crate) url: String,
    stop: CancellationToken,
}

impl ApiServer {
    /// Serves `count` ServiceAccounts of 800 bytes, every tenth with a role. The first,
    /// `bench/role-0`, is always there.
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

type Asked = Query<BTreeMap<String, String>>;

fn account(namespace: &str, name: &str) -> Value {
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
    account("bench", &format!("{kind}-{index}"))
}

async fn list(State(count): State<Arc<usize>>, Query(asked): Asked) -> Response {
    if asked.get("watch").is_some_and(|watch| watch != "false" && watch != "0") {
        return watch(*count, &asked);
    }
    let read = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
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

/// A watch on which nothing happens; newer clients have it begin with all `count` that there are.
fn watch(count: usize, asked: &BTreeMap<String, String>) -> Response {
    let whole = asked.get("sendInitialEvents").is_some_and(|send| send == "true");
    let all = (0..count).map(|index| json!({"type": "ADDED", "object": numbered(index)}));
    let end = json!({"type": "BOOKMARK", "object": {"kind": "ServiceAccount", "apiVersion": "v1",
        "metadata": {"resourceVersion": "10", "annotations":
            {"k8s.io/initial-events-end": "true"}}}});
    let first = all.chain([end]).take(if whole { count + 1 } else { 0 });
    let lines = first.map(|event| Ok::<_, std::convert::Infallible>(format!("{event}\n").into()));
    let nothing = futures::stream::pending::<Result<Bytes, std::convert::Infallible>>();
    let mut response =
        Response::new(Body::from_stream(futures::stream::iter(lines).chain(nothing)));
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}

/// The accounts of the burst, for a webhook that lists a namespace.
async fn late(Path(namespace): Path<String>, Query(asked): Asked) -> Response {
    if asked.contains_key("watch") {
        return watch(0, &asked);
    }
    let late = (0..200).map(|index| account(&namespace, &format!("{LATE}{index}")));
    page(&late.collect::<Vec<_>>(), None)
}

async fn one(Path((namespace, name)): Path<(String, String)>) -> Json<Value> {
    Json(account(&namespace, &name))
}

/// Lists of everything else are empty.
async fn nothing(Query(asked): Asked) -> Response {
    if asked.contains_key("watch") {
        return watch(0, &asked);
    }
    let empty = json!({"apiVersion": "v1", "kind": "List",
        "metadata": {"resourceVersion": "10"}, "items": []});
    (StatusCode::OK, Json(empty)).into_response()
}
