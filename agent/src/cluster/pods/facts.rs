//! What the agent keeps of a pod.

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};

use super::running::{has_ended, uid};
use crate::node::PodFacts;

/// Drops everything that the agent does not use, to keep the store small.
pub(super) fn strip(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
    pod.metadata.labels = None;
    if let Some(spec) = &mut pod.spec {
        let (node_name, host_network) = (spec.node_name.take(), spec.host_network);
        *spec = PodSpec { node_name, host_network, ..PodSpec::default() };
    }
    if let Some(status) = &mut pod.status {
        let (phase, pod_ips) = (status.phase.take(), status.pod_ips.take());
        *status = PodStatus { phase, pod_ips, ..PodStatus::default() };
    }
}

pub(super) fn facts(pod: &Pod) -> PodFacts {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let addresses = status.and_then(|status| status.pod_ips.as_deref()).unwrap_or_default();
    PodFacts {
        uid: uid(pod),
        finished: has_ended(pod),
        gone_at: pod.metadata.deletion_timestamp.as_ref().map(|at| at.0),
        node: spec.and_then(|spec| spec.node_name.clone()),
        addresses: addresses.iter().filter_map(|address| address.ip.parse().ok()).collect(),
        host_network: spec.and_then(|spec| spec.host_network).unwrap_or_default(),
        controller: controller(pod),
    }
}

fn controller(pod: &Pod) -> Option<String> {
    let mut owners = pod.metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone())
}

#[cfg(test)]
mod tests {
    use super::{super::running::tests::pod, *};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
    use std::net::IpAddr;

    #[test]
    fn stripping_keeps_what_the_agent_uses() {
        let mut pod = pod("app", "1");
        let owner = |uid: &str, controller| OwnerReference {
            uid: uid.to_owned(),
            controller: Some(controller),
            ..OwnerReference::default()
        };
        let owners = vec![owner("other", false), owner("daemon-set", true)];
        pod.metadata.owner_references = Some(owners);
        strip(&mut pod);
        let facts = facts(&pod);
        assert_eq!((facts.uid.as_str(), facts.node.as_deref()), ("1", Some("n1")));
        let both: Vec<IpAddr> = vec!["10.1.2.3".parse().unwrap(), "fd00::3".parse().unwrap()];
        assert_eq!(facts.addresses, both);
        assert!(facts.host_network && !facts.finished);
        assert_eq!(facts.controller.as_deref(), Some("daemon-set"));
    }
}
