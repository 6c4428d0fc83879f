//! A cluster whose agents all start at once, a power cut's morning: what the API server is asked then.
//!
//! Each agent is a real process, with a node of its own that has 30 pods of 10 namespaces.

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

use crate::{Args, table::Table, tokens::Tokens, world};

const PODS: usize = 30;
const NAMESPACES: usize = 10;
const PATIENCE: Duration = Duration::from_secs(600);

/// What was asked, by kind, and how many bytes were answered.
#[derive(Default)]
struct Asked(Mutex<BTreeMap<&'static str, (usize, usize)>>);

impl Asked {
    fn count(&self, kind: &'static str, bytes: usize) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, sum) = kinds.entry(kind).or_default();
        (*count, *sum) = (*count + 1, *sum + bytes);
    }

    fn of(&self, kind: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(kind).map_or(0, |it| it.0)
    }

    fn answer(&self, kind: &'static str, json: &Value) -> Response {
        let text = json.to_string();
        self.count(kind, text.len());
        ([("content-type", "application/json")], text).into_response()
    }
}

/// The API server, by script.
struct Api {
    asked: Asked,
    discovery: Value,
    jwks: Value,
}

pub(crate) async fn crowd(args: &Args, table: &mut Table) -> anyhow::Result<()> {
    let limits = Limits { connections: 10 * args.agents + 1024, ..Limits::default() };
    let server = Server::bind("127.0.0.1:0".parse()?, limits).await?;
    let url = format!("http://{}", server.address());
    let tokens = Tokens::of(url.clone())?;
    let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/openid/v1/jwks")});
    let api = Arc::new(Api { asked: Asked::default(), discovery, jwks: tokens.jwks() });
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
    // Ready is who has keys and pods; what it greets its pods with comes after.
    until(&mut agents, || api.asked.of("watch of pods") >= args.agents).await?;
    let ready = begun.elapsed();
    let mut seen = 0;
    while std::mem::replace(&mut seen, api.asked.of("namespace")) < api.asked.of("namespace")
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
    let kinds = api.asked.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
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
        .args(&args.more)
        // As many threads as a node's share of this machine.
        .env("TOKIO_WORKER_THREADS", "1");
    command.stdin(Stdio::null()).kill_on_drop(true).spawn().context("an agent")
}

async fn until(agents: &mut [Child], so: impl Fn() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !so() {
        ensure!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        for agent in agents.iter_mut() {
            if let Some(status) = agent.try_wait()? {
                anyhow::bail!("an agent ended: {status}");
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
        .route("/api/v1/namespaces/{namespace}/serviceaccounts/{name}", get(account))
        .with_state(api)
}

async fn discovery(State(api): State<Arc<Api>>) -> Response {
    api.asked.answer("issuer", &api.discovery)
}

async fn jwks(State(api): State<Arc<Api>>) -> Response {
    api.asked.answer("keys", &api.jwks)
}

/// The pods of one node, or a watch of them on which nothing happens.
async fn pods(
    State(api): State<Arc<Api>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if query.contains_key("watch") {
        api.asked.count("watch of pods", 0);
        let silence = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        return Body::from_stream(silence).into_response();
    }
    let node = query.get("fieldSelector").and_then(|it| it.strip_prefix("spec.nodeName="));
    let Some(node) = node else { return Json(json!({})).into_response() };
    let items: Vec<Value> = (0..PODS).map(|number| pod(node, number)).collect();
    let metadata = json!({"resourceVersion": "1"});
    let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": items});
    api.asked.answer("list of pods", &list)
}

fn pod(node: &str, number: usize) -> Value {
    let namespace = format!("team-{}", number % NAMESPACES);
    json!({
        "metadata": {
            "name": format!("{node}-{number}"), "namespace": namespace,
            "uid": format!("{node}-{number}"), "resourceVersion": "1",
        },
        "spec": {"nodeName": node, "serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]},
    })
}

/// One that has not opted in.
async fn namespace(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Response {
    let kind = "PartialObjectMetadata";
    let namespace =
        json!({"apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": {"name": name}});
    api.asked.answer("namespace", &namespace)
}

async fn account(
    State(api): State<Arc<Api>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    let metadata =
        json!({"namespace": namespace, "name": name, "uid": name, "resourceVersion": "1"});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    api.asked.answer("ServiceAccount", &account)
}
