//! Nodes are drained: what the API server says to the eviction of the webhook's replicas, wherever they are.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::{
    core::v1::Pod, discovery::v1::EndpointSlice, policy::v1::PodDisruptionBudget,
};
use kube::{
    Api,
    api::{EvictParams, Patch, PatchParams, PostParams},
};
use podrole_certs::Lifetimes;
use podrole_tests::{namespace::plain_pod, wait};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::stage::{PATIENCE, Stage};

/// How long an eviction is tried.
const BLOCKED: Duration = Duration::from_secs(5);

/// The replicas and their nodes, as the kubelet and the endpoints' controller would say it.
struct Replicas<'a> {
    stage: &'a Stage,
    pods: Api<Pod>,
    budgets: Api<PodDisruptionBudget>,
}

impl<'a> Replicas<'a> {
    fn new(stage: &'a Stage) -> Self {
        let (client, name) = (stage.namespace.client(), stage.namespace.name());
        let pods = Api::namespaced(client.clone(), name);
        Self { stage, pods, budgets: Api::namespaced(client, name) }
    }

    /// A replica that runs on `node`.
    async fn runs(&self, name: &str, node: &str, ready: bool) -> anyhow::Result<()> {
        let mut pod = plain_pod(name, "app");
        pod["metadata"]["labels"] = json!({"a": "podrole-webhook"});
        pod["spec"]["nodeName"] = node.into();
        self.pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
        let ready = if ready { "True" } else { "False" };
        let status = json!({"status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": ready}]}});
        self.pods.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await?;
        Ok(())
    }

    /// The endpoints of the Service, in one list for each address family.
    async fn are_at(&self, replicas: &[(&str, &str, bool)]) -> anyhow::Result<()> {
        let namespace = self.stage.namespace.name();
        let slices = Api::<EndpointSlice>::namespaced(self.stage.namespace.client(), namespace);
        for (family, address) in [("IPv4", "192.0.2.1"), ("IPv6", "2001:db8::1")] {
            let endpoints = replicas.iter().map(|(name, node, ready)| {
                json!({"addresses": [address], "nodeName": node, "conditions": {"ready": ready},
                    "targetRef": {"kind": "Pod", "name": name, "namespace": namespace}})
            });
            let name = format!("podrole-webhook-{}", family.to_lowercase());
            let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": name,
                    "labels": {"kubernetes.io/service-name": "podrole-webhook"}},
                "addressType": family, "ports": [], "endpoints": endpoints.collect::<Vec<_>>()});
            let params = PatchParams::apply("test").force();
            slices.patch(&name, &params, &Patch::Apply(&slice)).await?;
        }
        Ok(())
    }

    async fn budget(&self) -> anyhow::Result<Option<PodDisruptionBudget>> {
        Ok(self.budgets.get_opt("podrole-webhook").await?)
    }

    async fn until_budget(&self, exists: bool) {
        let changed = Instant::now();
        let so = async || Ok(self.budget().await?.is_some() == exists);
        wait::until("the budget", PATIENCE, so).await.unwrap();
        assert!(changed.elapsed() < Duration::from_secs(10), "{:?}", changed.elapsed());
    }

    /// What the controller of budgets would write for two replicas of which this many are ready.
    async fn counted(&self, healthy: i32) -> anyhow::Result<()> {
        let budget = self.budget().await?.context("no budget")?;
        let status = json!({"status": {"observedGeneration": budget.metadata.generation,
            "currentHealthy": healthy, "desiredHealthy": 1, "expectedPods": 2,
            "disruptionsAllowed": healthy - 1}});
        let patch = Patch::Merge(&status);
        self.budgets.patch_status("podrole-webhook", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// What `kubectl drain` asks. The client repeats what is answered with 429, as kubectl does, so this asks whether the
    /// eviction is allowed within a while.
    async fn is_evicted(&self, pod: &str) -> bool {
        match timeout(BLOCKED, self.pods.evict(pod, &EvictParams::default())).await {
            Ok(evicted) => evicted.map(|_| true).unwrap(),
            Err(_) => false,
        }
    }
}

/// No successor could start there while the node is drained.
#[tokio::test]
async fn a_node_with_all_replicas_can_be_drained() {
    let (stage, _controllers) = Stage::registered("alone", 1, Lifetimes::default()).await.unwrap();
    let replicas = Replicas::new(&stage);
    replicas.are_at(&[("a", "one", true), ("b", "one", true)]).await.unwrap();
    for name in ["a", "b"] {
        replicas.runs(name, "one", true).await.unwrap();
    }
    // Longer than two rounds of the controller.
    sleep(Duration::from_secs(5)).await;
    assert!(replicas.budget().await.unwrap().is_none());
    for name in ["a", "b"] {
        assert!(replicas.is_evicted(name).await, "{name}");
    }
}

#[tokio::test]
async fn replicas_on_two_nodes_are_evicted_one_by_one() {
    let (stage, _controllers) = Stage::registered("two", 1, Lifetimes::default()).await.unwrap();
    let replicas = Replicas::new(&stage);
    replicas.runs("a", "one", true).await.unwrap();
    replicas.runs("b", "two", true).await.unwrap();
    replicas.are_at(&[("a", "one", true), ("b", "two", true)]).await.unwrap();
    replicas.until_budget(true).await;
    replicas.counted(2).await.unwrap();
    assert!(replicas.is_evicted("a").await);
    // Its successor starts beside the other one, and is not ready yet: the budget stays.
    replicas.runs("c", "two", false).await.unwrap();
    replicas.are_at(&[("b", "two", true), ("c", "two", false)]).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    replicas.counted(1).await.unwrap();
    assert!(!replicas.is_evicted("b").await, "the last one that is ready");
    assert!(replicas.is_evicted("c").await, "what is not ready serves no review");
    // All are on the node that is left.
    replicas.runs("d", "two", true).await.unwrap();
    replicas.are_at(&[("b", "two", true), ("d", "two", true)]).await.unwrap();
    replicas.until_budget(false).await;
    for name in ["b", "d"] {
        assert!(replicas.is_evicted(name).await, "{name}");
    }
}
