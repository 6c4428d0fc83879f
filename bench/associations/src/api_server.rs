//! A real API server, asked by HTTP/2, and what its own metrics say.

use std::{fmt, time::Duration};

use anyhow::{Context as _, anyhow};
use http::Request;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use podrole_identity::Kind;
use podrole_runtime::{kube_client, objects};
use podrole_tests::{
    cluster::{Cluster, ISSUER},
    project, wait,
};
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(300);
const MEBIBYTE: f64 = 1024.0 * 1024.0;

pub(crate) struct ApiServer {
    pub(crate) cluster: Cluster,
    client: Client,
}

/// What the API server's process uses, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct ApiMemory {
    resident: f64,
    /// The objects of the heap that the last garbage collection found in use.
    live: f64,
    /// The stacks of its goroutines.
    stacks: f64,
}

impl ApiServer {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let cluster = Cluster::start(ISSUER).await?;
        let client = connect(&cluster).await?;
        Ok(Self { cluster, client })
    }

    /// Another API server of the same cluster. It has read the objects once, and no change of them.
    pub(crate) async fn successor(&self) -> anyhow::Result<Self> {
        let cluster = self.cluster.successor(ISSUER).await?;
        let client = connect(&cluster).await?;
        Ok(Self { cluster, client })
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        connect(&self.cluster).await
    }

    /// The body of `GET path`.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let request = Request::get(path).body(Vec::new())?;
        self.client.request_text(request).await.with_context(|| path.to_owned())
    }

    /// Installs the CRDs of `manifests/install.yaml`.
    pub(crate) async fn install_kinds(&self) -> anyhow::Result<()> {
        const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let text = std::fs::read_to_string(project::root().join("manifests/install.yaml"))?;
        let kinds =
            text.split("\n---\n").filter(|it| it.contains("kind: CustomResourceDefinition"));
        for kind in kinds {
            let request = Request::post(CRDS).header("content-type", "application/yaml");
            self.client.request_text(request.body(kind.as_bytes().to_vec())?).await?;
        }
        for kind in [Kind::Association, Kind::Pattern, Kind::Guardrail] {
            let api = objects::api(self.client.clone(), kind);
            let is_served = async || Ok(api.list(&kube::api::ListParams::default()).await.is_ok());
            wait::until("the kind to be served", PATIENCE, is_served).await?;
        }
        Ok(())
    }

    /// Waits until a garbage collection finds as much in use as the one 10 s before, within 1 %.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let mut before = 0.0;
        for _ in 0..30 {
            // Its profile of the heap begins with a garbage collection.
            self.get("/debug/pprof/heap?gc=1&debug=1").await?;
            let now = self.memory().await?.live;
            if (now - before).abs() < now / 100.0 {
                return Ok(());
            }
            before = now;
            sleep(Duration::from_secs(10)).await;
        }
        Err(anyhow!("the API server's heap did not settle within 5 min"))
    }

    pub(crate) async fn memory(&self) -> anyhow::Result<ApiMemory> {
        let text = self.get("/metrics").await?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|it| it.trim().parse().ok()).with_context(|| name.to_owned())
        };
        Ok(ApiMemory {
            resident: value("process_resident_memory_bytes")?,
            live: value("go_gc_heap_live_bytes")?,
            stacks: value("go_memstats_stack_inuse_bytes")?,
        })
    }
}

async fn connect(cluster: &Cluster) -> anyhow::Result<Client> {
    let file = Kubeconfig::read_from(cluster.kubeconfig())?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    kube_client::client(&config).map_err(|error| anyhow!("{error}"))
}

impl ApiMemory {
    /// What each of `count` things has added.
    #[expect(clippy::cast_precision_loss, reason = "numbers for people")]
    pub(crate) fn since(&self, before: &Self, count: usize) -> String {
        let each = |now: f64, before: f64| (now - before) / 1024.0 / count as f64;
        let in_use = each(self.live + self.stacks, before.live + before.stacks);
        format!("{in_use:.1} KiB in use for each")
    }
}

impl fmt::Display for ApiMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [resident, live, stacks] =
            [self.resident, self.live, self.stacks].map(|it| it / MEBIBYTE);
        write!(
            f,
            "{resident:.0} MiB resident, {live:.0} MiB of heap and {stacks:.0} MiB of stacks in use"
        )
    }
}
