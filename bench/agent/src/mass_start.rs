//! All agents of a cluster start at once, as after a power cut: the load on the API server.
//!
//! Each agent is a real process for a node of its own with 30 pods in 10 namespaces.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use podrole_runtime::serve::{Limits, Server};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{Args, pods, table::Table, tokens::Tokens, world};

const PODS: usize = 30;
const NAMESPACES: usize = 10;
const TIMEOUT: Duration = Duration::from_secs(600);

/// The number of requests and the bytes of the responses, by kind of request.
#[derive(Default)]
struct RequestCounts(Mutex<BTreeMap<&'static str, (usize, usize)>>);

impl RequestCounts {
    fn add(&self, kind: &'static str, bytes: usize) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, sum) = kinds.entry(kind).or_default();
        (*count, *sum) = (*count + 1, *sum + bytes);
    }

    fn of(&self, kind: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(kind).map_or(0, |it| it.0)
    }

    fn answer(&self, kind: &'static str, json: &Value) -> Response {
        let text = json.to_string();
        self.add(kind, text.len());
        ([("content-type", "application/json")], text).into_response()
    }
}

/// The scripted API server.
struct Api {
    counts: RequestCounts,
    discovery: Value,
    jwks: Value,
}

pub(crate) async fn run(args: &Args, table: &mut Table) -> anyhow::Result<()> {
    let limits = Limits { connections: 10 * args.agents + 1024, ..Limits::default() };
    let server = Server::bind("127.0.0.1:0".parse()?, limits).await?;
    let url = format!("http://{}", server.address());
    let tokens = Tokens::of(url.clone())?;
    let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/openid/v1/jwks")});
    let api = Arc::new(Api { counts: RequestCounts::default(), discovery, jwks: tokens.jwks() });
    tokio::spawn(server.run(router(Arc::clone(&api)), CancellationToken::new()));
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, world::kubeconfig(&url))?;

    let begun = Instant::now();
    let mut agents = Vec::new();
    for number in 0..args.agents {
        agents.push(start(args, &kubeconfig, number)?);
    }
    let started = begun.elapsed();
    // An agent is ready once it has keys and pods. It looks up the pods' namespaces afterwards.
    until(&mut agents, || api.counts.of("watch of pods") >= args.agents).await?;
    let ready = begun.elapsed();
    let mut seen = 0;
    while std::mem::replace(&mut seen, api.counts.of("namespace")) < api.counts.of("namespace")
        || seen == 0
    {
        sleep(Duration::from_secs(2)).await;
    }
    table.row(
        format!(
            "{} agents started within {:.0} s: all watch their pods",
            args.agents,
            started.as_secs_f64()
        ),
        format!("{:.0} s after the first start", ready.as_secs_f64()),
    );
    let kinds = api.counts.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (kind, (count, bytes)) in kinds {
        let (count, agents) = (count as f64, args.agents as f64);
        let value = format!("{:.2}, {:.1} kB", count / agents, bytes as f64 / agents / 1000.0);
        table.row(format!("the same: requests of each agent, {kind}"), value);
    }
    Ok(())
}

fn start(args: &Args, kubeconfig: &std::path::Path, number: usize) -> anyhow::Result<Child> {
    let mut command = Command::new(&args.agent);
    command
        .args([
            "--bind-hosts=127.0.0.1",
            "--port=0",
            "--metrics-address=127.0.0.1",
            "--metrics-port=0",
        ])
        .args(["--region=eu-west-1", "--log=error"])
        .arg(format!("--node-name=node-{number}"))
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(&args.extra)
        // Else each agent would start a thread per core of this machine, times the agents.
        .env("TOKIO_WORKER_THREADS", "1");
    command.stdin(Stdio::null()).kill_on_drop(true).spawn().context("could not start an agent")
}

async fn until(agents: &mut [Child], condition: impl Fn() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !condition() {
        ensure!(begun.elapsed() < TIMEOUT, "not all agents are ready within {TIMEOUT:?}");
        for agent in agents.iter_mut() {
            if let Some(status) = agent.try_wait()? {
                anyhow::bail!("an agent exited: {status}");
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/openid/v1/jwks", get(jwks))
        .route("/api/v1/pods", get(pods))
        .route("/api/v1/namespaces/{namespace}", get(namespace))
        .route("/api/v1/namespaces/{namespace}/serviceaccounts/{name}", get(service_account))
        .with_state(api)
}

async fn discovery(State(api): State<Arc<Api>>) -> Response {
    api.counts.answer("issuer", &api.discovery)
}

async fn jwks(State(api): State<Arc<Api>>) -> Response {
    api.counts.answer("keys", &api.jwks)
}

/// The list of a node's pods, or a watch of them without events.
async fn pods(
    State(api): State<Arc<Api>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if query.contains_key("watch") {
        api.counts.add("watch of pods", 0);
        let events = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        return Body::from_stream(events).into_response();
    }
    let node = query.get("fieldSelector").and_then(|it| it.strip_prefix("spec.nodeName="));
    let Some(node) = node else { return Json(json!({})).into_response() };
    let items: Vec<Value> = (0..PODS).map(|number| pod(node, number)).collect();
    let metadata = json!({"resourceVersion": "1"});
    let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": items});
    api.counts.answer("list of pods", &list)
}

fn pod(node: &str, number: usize) -> Value {
    let namespace = format!("team-{}", number % NAMESPACES);
    pods::pod(&namespace, &format!("{node}-{number}"), node)
}

/// A namespace that has not opted in.
async fn namespace(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Response {
    let kind = "PartialObjectMetadata";
    let namespace =
        json!({"apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": {"name": name}});
    api.counts.answer("namespace", &namespace)
}

async fn service_account(
    State(api): State<Arc<Api>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    let metadata =
        json!({"namespace": namespace, "name": name, "uid": name, "resourceVersion": "1"});
    let service_account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    api.counts.answer("ServiceAccount", &service_account)
}
