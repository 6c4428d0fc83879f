//! Agents that start at once, as after a power cut, and what they ask the API server before any pod asks them.

use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;
use kube::Client;
use podrole_tests::process::Process;
use serde_json::{Value, json};
use tokio::time::{Instant, interval, sleep};

use crate::{api_server::ApiServer, objects::Objects, sts::Sts, table::Table, webhook};

/// What an agent looks up by name.
const LOOKED_UP: [&str; 3] = ["podidentityassociations", "serviceaccounts", "namespaces"];
const AT_ONCE: usize = 32;
/// For the requests that the API server makes to itself.
const QUIET: u64 = 10;

pub(crate) struct Agents {
    pub(crate) program: PathBuf,
    pub(crate) count: usize,
}

/// Requests that the API server has counted, by verb and resource.
type Requests = BTreeMap<(String, String), u64>;

impl Agents {
    pub(crate) async fn run(
        &self,
        server: &ApiServer,
        objects: &Objects,
        pods: usize,
        seconds: u64,
        table: &mut Table,
    ) -> anyhow::Result<()> {
        self.create_pods(server, objects, pods).await?;
        let sts = Sts::start().await?;
        // A pod counts as older than its agent only by whole seconds.
        sleep(Duration::from_secs(2)).await;
        let (idle_from, idle_to) = (requests(server).await?, {
            sleep(Duration::from_secs(QUIET)).await;
            requests(server).await?
        });
        let idle = lookups(&difference(&idle_from, &idle_to));
        let begun = Instant::now();
        let agents = (0..self.count).map(|number| self.start(server, &sts, number));
        let agents = agents.collect::<anyhow::Result<Vec<_>>>()?;
        let started = begun.elapsed();
        let (mut samples, mut second) = (vec![idle_to], interval(Duration::from_secs(1)));
        for _ in 0..=seconds {
            second.tick().await;
            samples.push(requests(server).await?);
        }
        anyhow::ensure!(!agents.iter().any(Process::has_ended), "an agent has ended");
        let took = begun.elapsed();
        self.report(&samples, took, table)?;
        let (count, calls) = (self.count, sts.calls());
        table.row(
            format!(
                "{count} agents, {pods} pods each, started within {:.1} s",
                started.as_secs_f64()
            ),
            format!("{calls} AssumeRole of {} pods in {} s", count * pods, took.as_secs()),
        );
        let first = agents.first().context("no agent")?;
        table.row("the same: an agent's memory", webhook::memory(first)?.to_string());
        table.row("the same, before the agents: look-ups in 10 s", idle.to_string());
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers for people")]
    fn report(
        &self,
        samples: &[Requests],
        took: Duration,
        table: &mut Table,
    ) -> anyhow::Result<()> {
        let (first, last) = samples.first().zip(samples.last()).context("no samples")?;
        let made = difference(first, last);
        let all = lookups(&made);
        let each = |count: u64| count as f64 / self.count as f64;
        let most = |width: usize| {
            let windows = samples
                .windows(width + 1)
                .filter_map(|window| Some(lookups(&difference(window.first()?, window.last()?))));
            windows.max().unwrap_or_default() as f64 / width as f64 / self.count as f64
        };
        let average = each(all) / took.as_secs_f64();
        table.row(
            "look-ups of each agent per second: average, most in 5 s, most in 1 s (bound: 3)",
            format!("{average:.2}, {:.2}, {:.2}", most(5), most(1)),
        );
        let kinds = made
            .iter()
            .map(|((verb, resource), count)| format!("{verb} {resource} {:.2}", each(*count)));
        table.row("requests of each agent", kinds.collect::<Vec<_>>().join(", "));
        Ok(())
    }

    /// Nodes, and pods that ask for credentials: each with a ServiceAccount of its own, most in a namespace of their own.
    async fn create_pods(
        &self,
        server: &ApiServer,
        objects: &Objects,
        pods: usize,
    ) -> anyhow::Result<()> {
        let client = server.client().await?;
        for number in 0..self.count {
            let node = json!({"metadata": {"name": format!("node-{number}")}});
            create(&client, "/api/v1/nodes", &node).await?;
        }
        let all = self.count * pods;
        let one = async |number: usize| {
            let (namespace, service_account) = objects.spread(number, all);
            let pod = pod(number, &format!("node-{}", number % self.count), &service_account);
            create(&client, &format!("/api/v1/namespaces/{namespace}/pods"), &pod).await
        };
        stream::iter(0..all).map(one).buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    fn start(&self, server: &ApiServer, sts: &Sts, number: usize) -> anyhow::Result<Process> {
        let folder = tempfile::Builder::new().prefix("podrole-bench-").tempdir()?.keep();
        let mut command = Command::new(&self.program);
        command.args(["--bind-hosts=127.0.0.1", "--port=0", "--log=warn"]);
        command.args(["--metrics-address=127.0.0.1", "--metrics-port=0"]);
        command.args(webhook::GRANT_FLAGS).arg("--injection-default=labelled");
        command.arg(format!("--node-name=node-{number}"));
        command.arg(format!("--sts-endpoint-url=http://{}", sts.address));
        command.arg("--kubeconfig").arg(server.cluster.kubeconfig());
        command.env("AWS_ACCESS_KEY_ID", "AKIABENCH").env("AWS_SECRET_ACCESS_KEY", "bench");
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        // Else each agent would start a thread per core of this machine, times the agents.
        command.env("TOKIO_WORKER_THREADS", "1");
        Process::start("podrole-agent", &folder, &command)
    }
}

fn pod(number: usize, node: &str, service_account: &str) -> Value {
    json!({"metadata": {"name": format!("app-{number}")}, "spec": {
        "nodeName": node,
        "serviceAccountName": service_account,
        "containers": [{"name": "app", "image": "example.org/app:1", "env": [
            {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://169.254.170.23/v1/credentials"},
        ]}],
    }})
}

async fn create(client: &Client, path: &str, object: &Value) -> anyhow::Result<()> {
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(object.to_string().into_bytes())?;
    client.request_text(request).await.with_context(|| path.to_owned())?;
    Ok(())
}

/// What the API server has counted of podrole's kinds, ServiceAccounts, namespaces and pods.
async fn requests(server: &ApiServer) -> anyhow::Result<Requests> {
    let text = server.get("/metrics").await?;
    let mut requests = Requests::new();
    for line in text.lines() {
        let Some(line) = line.strip_prefix("apiserver_request_total{") else { continue };
        let label = |name: &str| {
            let rest = line.split_once(&format!("{name}=\""))?.1;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let count = line.rsplit(' ').next().and_then(|it| it.parse::<f64>().ok());
        let (Some(verb), Some(resource), Some(count)) = (label("verb"), label("resource"), count)
        else {
            continue;
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
        let count = count as u64;
        *requests.entry((verb, resource)).or_default() += count;
    }
    Ok(requests)
}

fn difference(before: &Requests, after: &Requests) -> Requests {
    let grown = after.iter().filter_map(|(key, count)| {
        let more = count - before.get(key).copied().unwrap_or_default().min(*count);
        (more > 0).then(|| (key.clone(), more))
    });
    grown.collect()
}

fn lookups(requests: &Requests) -> u64 {
    let looked_up = requests
        .iter()
        .filter(|((verb, resource), _)| verb == "GET" && LOOKED_UP.contains(&resource.as_str()));
    looked_up.map(|(_, count)| count).sum()
}
