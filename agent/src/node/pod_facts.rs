//! What the agent knows about a pod.

use std::net::IpAddr;

use jiff::Timestamp;

/// What the agent knows about a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its UID.
    pub uid: String,
    /// Whether its phase is `Succeeded` or `Failed`.
    pub finished: bool,
    /// Its `deletionTimestamp`: when it must have ended.
    pub gone_at: Option<Timestamp>,
    /// Its node.
    pub node: Option<String>,
    /// Its IP addresses; empty until it has some.
    pub addresses: Vec<IpAddr>,
    /// Whether it uses the node's network.
    pub host_network: bool,
    /// The UID of the object that manages it, such as its DaemonSet.
    pub controller: Option<String>,
}

impl PodFacts {
    /// Whether it has not ended, and is not about to.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.finished && self.gone_at.is_none()
    }
}
