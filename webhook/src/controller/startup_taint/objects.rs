//! Nodes and agents' pods, as far as they matter here. A whole Node has 20 kB.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, de::IgnoredAny};

use crate::controller::core_object::{Condition, core_object, created, is_ready};

/// A Node's metadata and taints.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct TaintedNode {
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    spec: NodeSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct NodeSpec {
    taints: Option<Vec<Taint>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Taint {
    pub(super) key: String,
}

/// A pod of the agent: its node and how it is.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct AgentPod {
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    node_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    conditions: Option<Vec<Condition>>,
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    restart_count: i32,
    state: Option<ContainerState>,
}

#[derive(Clone, Debug, Deserialize)]
struct ContainerState {
    running: Option<IgnoredAny>,
}

impl TaintedNode {
    /// Its taints, in the order in which a patch counts them.
    pub(super) fn taints(&self) -> impl Iterator<Item = &Taint> {
        self.spec.taints.iter().flatten()
    }

    /// When it was registered, by the API server's clock.
    pub(super) fn created(&self) -> Option<Timestamp> {
        created(&self.metadata)
    }
}

impl AgentPod {
    /// Its node, empty before it is scheduled, and its name.
    pub(super) fn key(&self) -> (String, String) {
        let node = self.spec.node_name.clone().unwrap_or_default();
        (node, self.metadata.name.clone().unwrap_or_default())
    }

    pub(super) fn created(&self) -> Option<Timestamp> {
        created(&self.metadata)
    }

    pub(super) fn is_ending(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    pub(super) fn is_ready(&self) -> bool {
        is_ready(self.status.conditions.as_deref())
    }

    /// How often its container was started again, if it runs.
    pub(super) fn restarts(&self) -> Option<i32> {
        let mut containers = self.status.container_statuses.iter().flatten();
        let running =
            |it: &&ContainerStatus| it.state.as_ref().is_some_and(|state| state.running.is_some());
        containers.find(running).map(|it| it.restart_count)
    }
}

core_object!(TaintedNode, "Node", "nodes", ClusterResourceScope);
core_object!(AgentPod, "Pod", "pods", NamespaceResourceScope);
