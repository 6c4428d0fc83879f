//! Which pod a connection comes from, by the kernel: pods on the host's network share the node's
//! addresses, so an address alone cannot tell them apart.
//!
//! ```text
//!   the client's address and port ── sock_diag ──► the cgroup of its socket ── cgroups ──► a pod's UID
//! ```
//!
//! A socket stays in the cgroup of the process that made it, also if it is passed to another one.

mod cgroup_path;
#[cfg(target_os = "linux")]
mod cgroup_pods;
#[cfg(target_os = "linux")]
mod cgroup_tree;
#[cfg(target_os = "linux")]
mod diag;

use std::net::SocketAddr;

use futures::future::BoxFuture;

#[cfg(target_os = "linux")]
use std::{path::Path, sync::Arc};

/// Who a connection from this node comes from.
pub trait SocketOwner: Send + Sync {
    /// The UID of the pod that made the client's socket, or `None` if that is not known: the
    /// process is in no pod, its socket is in another network namespace, or the node has no cgroup v2.
    fn pod_uid(&self, client: SocketAddr) -> BoxFuture<'_, Option<String>>;
}

/// Asks the kernel of this node.
#[cfg(target_os = "linux")]
pub struct KernelSocketOwner {
    /// The addresses that clients connect to.
    servers: Vec<SocketAddr>,
    pods: Arc<cgroup_pods::CgroupPods>,
}

#[cfg(target_os = "linux")]
impl KernelSocketOwner {
    /// For clients of `servers`. `cgroups` is where the node's cgroups are mounted; returns `None`
    /// if they are not of cgroup v2, which sockets are in.
    #[must_use]
    pub fn new(cgroups: &Path, servers: Vec<SocketAddr>) -> Option<Self> {
        let is_v2 = cgroups.join("cgroup.controllers").exists();
        is_v2.then(|| Self { servers, pods: Arc::new(cgroup_pods::CgroupPods::below(cgroups)) })
    }
}

#[cfg(target_os = "linux")]
impl SocketOwner for KernelSocketOwner {
    fn pod_uid(&self, client: SocketAddr) -> BoxFuture<'_, Option<String>> {
        Box::pin(async move {
            // At once: the kernel answers such a question before the system call that asks it returns.
            let cgroup = self.servers.iter().find_map(|server| diag::cgroup(client, *server))?;
            self.pods.find(cgroup).await
        })
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
