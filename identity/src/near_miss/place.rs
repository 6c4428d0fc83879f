//! Whose annotations and labels they are.

use crate::ServiceAccountRef;

/// Whose metadata it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A Namespace.
    Namespace,
    /// A ServiceAccount.
    ServiceAccount,
    /// A pod, or the pod template of a workload. The ServiceAccount is that of its pods.
    Pod(&'a ServiceAccountRef),
    /// The metadata of a Deployment or other workload. The ServiceAccount is that of its pods.
    Workload(&'a ServiceAccountRef),
}
