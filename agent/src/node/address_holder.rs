//! Whose address a request comes from.

use std::net::IpAddr;

use podrole_runtime::local_address::is_on_a_link;

use super::pod_facts::PodFacts;

/// Who is known to have an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressHolder {
    /// The live pod of this UID, on this node.
    Pod(String),
    /// The node itself, and its pods on the host's network.
    Node,
    /// No pod and no link of this node that the agent knows of.
    Unknown,
}

impl AddressHolder {
    /// Who of these pods has the address. A pod that has ended, or is about to, may have it no longer, and of two pods
    /// only one can.
    pub(crate) fn among(pods: impl IntoIterator<Item = PodFacts>, address: IpAddr) -> Self {
        let has = |pod: &PodFacts| pod.is_live() && pod.addresses.contains(&address);
        let mut holders = pods.into_iter().filter(has);
        match (holders.next(), holders.next()) {
            (Some(pod), _) if pod.host_network => Self::Node,
            (Some(pod), None) => Self::Pod(pod.uid),
            _ => Self::Unknown,
        }
    }

    /// This, or the node, if the address is on one of its links: not all of a node's addresses are in the API.
    pub(super) fn or_this_node(self, address: IpAddr) -> Self {
        match self {
            Self::Unknown if is_on_a_link(address) => Self::Node,
            known => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, address: &str) -> PodFacts {
        let addresses = vec![address.parse().unwrap()];
        PodFacts { uid: uid.to_owned(), addresses, ..PodFacts::default() }
    }

    #[test]
    fn a_live_pod_has_its_address_and_a_pod_on_the_hosts_network_the_nodes() {
        let pods = [
            PodFacts { finished: true, ..pod("job", "10.1.2.3") },
            PodFacts { gone_at: Some(crate::tests::fixture::now()), ..pod("old", "10.1.2.3") },
            pod("app", "10.1.2.3"),
            PodFacts { host_network: true, ..pod("proxy", "192.0.2.7") },
        ];
        let among = |address: &str| AddressHolder::among(pods.clone(), address.parse().unwrap());
        assert_eq!(among("10.1.2.3"), AddressHolder::Pod("app".to_owned()));
        assert_eq!(among("192.0.2.7"), AddressHolder::Node);
        assert_eq!(among("10.1.2.4"), AddressHolder::Unknown);
        let twice = [pod("a", "10.1.2.3"), pod("b", "10.1.2.3")];
        let twice = AddressHolder::among(twice, "10.1.2.3".parse().unwrap());
        assert_eq!(twice, AddressHolder::Unknown, "one of them has it no longer");
    }

    #[test]
    fn an_address_of_this_machines_links_is_the_nodes() {
        let of = |address: &str| AddressHolder::Unknown.or_this_node(address.parse().unwrap());
        assert_eq!(of("127.0.0.1"), AddressHolder::Node);
        assert_eq!(of("192.0.2.1"), AddressHolder::Unknown, "reserved for documentation");
        let pod = AddressHolder::Pod("app".to_owned());
        assert_eq!(pod.clone().or_this_node("127.0.0.1".parse().unwrap()), pod);
    }
}
