//! Load that must not notice what happens to podrole: pods made, and credentials asked for.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::{sync::watch, time::interval};

use crate::{
    pods::{container, is_injected, pod, unscheduled},
    stage::{self, Stage},
};

/// What became of the pods that were made meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) injected: usize,
    pub(crate) missed: usize,
    pub(crate) refused: Vec<String>,
}

/// Makes 20 pods a second, which no scheduler places, until `during` ends; it must not fail.
pub(crate) async fn pods_meanwhile<T>(
    stage: &Stage,
    namespace: &str,
    during: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(T, Made)> {
    let (stop, stopped) = watch::channel(false);
    let during = async {
        let value = during.await;
        let _ = stop.send(true);
        value
    };
    let (value, made) = tokio::join!(during, make(stage, namespace, stopped));
    Ok((value?, made?))
}

async fn make(
    stage: &Stage,
    namespace: &str,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<Made> {
    let mut pace = interval(Duration::from_millis(50));
    let mut under_way = tokio::task::JoinSet::new();
    let mut count = 0;
    while !*stopped.borrow_and_update() {
        pace.tick().await;
        count += 1;
        let pod: Pod = serde_json::from_value(unscheduled(&format!("load-{count}")))?;
        let api = stage.api::<Pod>(namespace);
        under_way.spawn(async move { api.create(&kube::api::PostParams::default(), &pod).await });
    }
    let mut made = Made::default();
    while let Some(ended) = under_way.join_next().await {
        match ended? {
            Ok(stored) if is_injected(&stored) => made.injected += 1,
            Ok(_) => made.missed += 1,
            Err(refusal) => made.refused.push(refusal.to_string()),
        }
    }
    Ok(made)
}

impl Made {
    /// # Errors
    /// When a pod was refused, or too few were made to mean anything.
    pub(crate) fn none_refused(&self) -> anyhow::Result<()> {
        ensure!(
            self.refused.is_empty(),
            "{} pods refused, the first: {}",
            self.refused.len(),
            self.refused[0]
        );
        ensure!(
            self.injected + self.missed >= 20,
            "only {} pods were made",
            self.injected + self.missed
        );
        Ok(())
    }

    /// # Errors
    /// As [`Made::none_refused`], and when a pod was not injected.
    pub(crate) fn none_missed(&self) -> anyhow::Result<()> {
        self.none_refused()?;
        ensure!(
            self.missed == 0,
            "{} of {} pods were not injected",
            self.missed,
            self.injected + self.missed
        );
        Ok(())
    }
}

/// Asks the agent on a new connection, 200 times a second, until there is a file `/tmp/stop`; then says how many there were.
const ASK: &str = r#"
import collections, json, os, socket, time
token = open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read()
request = f"GET /v1/credentials HTTP/1.1\r\nHost: 169.254.170.23\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n".encode()
outcomes, due, slowest = collections.Counter(), time.monotonic(), 0
print("asking", flush=True)
while not os.path.exists("/tmp/stop"):
    begun = time.monotonic()
    try:
        with socket.create_connection(("169.254.170.23", 80), timeout=5) as connection:
            connection.sendall(request)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        outcomes[answer[9:12].decode() or "closed"] += 1
    except OSError as fault:
        outcomes[f"{type(fault).__name__}: {fault}"] += 1
    slowest = max(slowest, time.monotonic() - begun)
    due += 0.005
    time.sleep(max(0, due - time.monotonic()))
print(json.dumps({"outcomes": outcomes, "slowest_ms": round(slowest * 1000)}), flush=True)
"#;

/// A pod that asks the agent 200 times a second on new connections, until it is asked to stop.
pub(crate) struct Asker<'a> {
    stage: &'a Stage,
    namespace: &'a str,
}

impl<'a> Asker<'a> {
    /// Starts it in `namespace`, whose ServiceAccount `app` goes by container credentials.
    pub(crate) async fn start(stage: &'a Stage, namespace: &'a str) -> anyhow::Result<Self> {
        let manifest =
            pod("asker", "app", &[container("asker", "python", &["python3", "-c", ASK])]);
        stage.create::<Pod>(namespace, manifest).await?;
        stage.until_ready(namespace, "asker", 120).await?;
        stage::until("the asker's first word", 30, async || {
            Ok(stage.log(namespace, "asker", "asker").await?.contains("asking"))
        })
        .await?;
        Ok(Self { stage, namespace })
    }

    /// Stops it, and gives how many answers it had, and how long the slowest took, in milliseconds; all were 200.
    pub(crate) async fn stop(self) -> anyhow::Result<(u64, u64)> {
        self.stage
            .kubectl(&["-n", self.namespace, "exec", "asker", "--", "touch", "/tmp/stop"])
            .await?;
        let log = async || self.stage.log(self.namespace, "asker", "asker").await;
        stage::until("the asker's last word", 30, async || Ok(log().await?.contains("outcomes")))
            .await?;
        let log = log().await?;
        let said: Value = serde_json::from_str(log.lines().last().context("it said nothing")?)?;
        let outcomes = said["outcomes"].as_object().context("no outcomes")?;
        let good = outcomes.get("200").and_then(Value::as_u64).unwrap_or_default();
        ensure!(outcomes.len() == 1 && good > 500, "not all answers were 200: {said}");
        Ok((good, said["slowest_ms"].as_u64().unwrap_or_default()))
    }
}
