//! The controller, a node with the startup taint, and what a kubelet would report of its agent.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use podrole_tests::{cluster::Cluster, wait};
use serde_json::json;
use tokio::time::Duration;

use crate::daemons;

const TAINT: &str = "podrole.io/agent-not-ready";
const OTHER: &str = "example.org/other";
const PATIENCE: Duration = Duration::from_secs(30);

/// The node's taints without those of Kubernetes itself.
async fn taints(nodes: &Api<Node>, name: &str) -> anyhow::Result<Vec<String>> {
    let spec = nodes.get(name).await?.spec.unwrap_or_default();
    let taints = spec.taints.unwrap_or_default().into_iter().map(|taint| taint.key);
    Ok(taints.filter(|key| !key.starts_with("node.kubernetes.io/")).collect())
}

#[tokio::test]
async fn the_controller_frees_a_node_once_its_agent_is_ready() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("tainted", &[]).await.unwrap();
    let name = namespace.name();
    namespace.service_account("podrole-controller", &[]).await.unwrap();
    let nodes = Api::<Node>::all(namespace.client());
    let pods = Api::<Pod>::namespaced(namespace.client(), name);
    let (create, update) = (PostParams::default(), PatchParams::default());
    let taint = |key: &str| json!({"key": key, "effect": "NoSchedule"});
    let fresh = [format!("{name}-a"), format!("{name}-b")];
    for node in &fresh {
        let spec = json!({"taints": [taint(OTHER), taint(TAINT)]});
        let node = json!({"metadata": {"name": node}, "spec": spec});
        let node: Node = serde_json::from_value(node).unwrap();
        nodes.create(&create, &node).await.unwrap();
        let agent = json!({"metadata": {"name": node.metadata.name, "labels": {"agent": name}},
            "spec": {"nodeName": node.metadata.name, "serviceAccountName": "podrole-controller",
                "containers": [{"name": "agent", "image": "i"}]}});
        let agent: Pod = serde_json::from_value(agent).unwrap();
        pods.create(&create, &agent).await.unwrap();
    }
    // The webhook has no replica yet: a cluster whose nodes all wait must come up all the same.
    let flags = [
        format!("--namespace={name}"),
        "--startup-taint".to_owned(),
        format!("--agent-namespace={name}"),
        format!("--agent-selector=agent={name}"),
    ];
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let controller = daemons::controller(cluster, &flags).await.unwrap();
    let waits = async || Ok(controller.counts("podrole_controller_tainted_nodes").await == Some(2));
    wait::until("both nodes to be seen", PATIENCE, waits).await.unwrap();

    let ready = json!({"status": {"phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}]}});
    pods.patch_status(&fresh[0], &update, &Patch::Merge(&ready)).await.unwrap();
    let freed = async || Ok(taints(&nodes, &fresh[0]).await? == [OTHER]);
    let freed = wait::until("the first node to be free", PATIENCE, freed).await;
    assert!(freed.is_ok(), "{freed:?}: {}", controller.log());
    assert_eq!(taints(&nodes, &fresh[1]).await.unwrap(), [OTHER, TAINT]);
    let waits = async || Ok(controller.counts("podrole_controller_tainted_nodes").await == Some(1));
    wait::until("one node to be left", PATIENCE, waits).await.unwrap();

    // A taint that comes back while the agent is ready goes at once.
    let again = json!({"spec": {"taints": [taint(TAINT)]}});
    nodes.patch(&fresh[0], &update, &Patch::Merge(&again)).await.unwrap();
    let freed = async || Ok(taints(&nodes, &fresh[0]).await?.is_empty());
    wait::until("the first node to be free again", PATIENCE, freed).await.unwrap();
    for node in &fresh {
        nodes.delete(node, &DeleteParams::default()).await.unwrap();
    }
}
