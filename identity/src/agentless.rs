//! Nodes on which no agent runs.

use crate::Labels;

/// Fargate's label, which EKS sets to `fargate`.
const COMPUTE_TYPE_LABEL: &str = "eks.amazonaws.com/compute-type";
/// The label of nodes that another service simulates.
const VIRTUAL_LABEL: (&str, &str) = ("type", "virtual-kubelet");
/// The label of a node's operating system.
const OS_LABEL: &str = "kubernetes.io/os";

/// What a node with these labels is, if no DaemonSet of podrole can run there; `None` for all others.
#[must_use]
pub fn agentless(labels: &Labels) -> Option<&'static str> {
    let is = |key: &str, value: &str| labels.get(key).is_some_and(|it| it == value);
    if is(COMPUTE_TYPE_LABEL, "fargate") {
        Some("Fargate")
    } else if is(VIRTUAL_LABEL.0, VIRTUAL_LABEL.1) {
        Some("virtual-kubelet")
    } else if is(OS_LABEL, "windows") {
        Some("Windows")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nodes_without_daemons_have_no_agent() {
        for (key, value, expected) in [
            ("eks.amazonaws.com/compute-type", "fargate", Some("Fargate")),
            ("eks.amazonaws.com/compute-type", "auto", None),
            ("type", "virtual-kubelet", Some("virtual-kubelet")),
            ("kubernetes.io/os", "windows", Some("Windows")),
            ("kubernetes.io/os", "linux", None),
        ] {
            let labels = Labels::from([(key.to_owned(), value.to_owned())]);
            assert_eq!(agentless(&labels), expected, "{key}={value}");
        }
    }
}
