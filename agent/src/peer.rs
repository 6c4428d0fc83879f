//! Whether a request comes from its token's pod, which shows that a token was stolen. Pure.

use std::{collections::HashSet, net::IpAddr};

use clap::ValueEnum;
use podrole_identity::ServiceAccountRef;

use crate::{
    node::{AddressHolder, PodFacts},
    token::Caller,
};

/// What happens to a request from another address than the pod's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VerifyPeer {
    /// Nothing is compared
    Off,
    /// It is served and logged
    Warn,
    /// It is refused, but from the node's own addresses, which a network may put before a pod's, it is served and logged
    #[default]
    Auto,
    /// It is refused
    Enforce,
}

/// Compares a request's address with its pod's.
#[derive(Clone, Debug, Default)]
pub struct PeerCheck {
    /// What happens if they differ.
    pub mode: VerifyPeer,
    /// ServiceAccounts whose pods may use a proxy.
    pub exempt: HashSet<ServiceAccountRef>,
}

/// The result of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerVerdict {
    /// The address is the pod's, or may be: it is not known yet.
    Accepted,
    /// The address is another one; the request is served nevertheless.
    Suspicious,
    /// The address is no known pod's; the request is refused until it is known to be the pod's.
    Unproven,
    /// The address is another's; the request is refused.
    Refused,
}

impl PeerCheck {
    /// Compares the address of a request with `caller`'s pod, if the address alone has not decided (`accepts_address`). `holder` has
    /// the address.
    #[must_use]
    pub fn check(
        &self,
        peer: IpAddr,
        holder: &AddressHolder,
        caller: &Caller,
        pod: Option<&PodFacts>,
    ) -> PeerVerdict {
        if self.may_have(peer, pod, holder, caller) {
            return PeerVerdict::Accepted;
        }
        match self.mode {
            VerifyPeer::Off | VerifyPeer::Warn => PeerVerdict::Suspicious,
            VerifyPeer::Auto if *holder == AddressHolder::Node => PeerVerdict::Suspicious,
            // The pod's own address may have changed: its sandbox was made again.
            VerifyPeer::Auto | VerifyPeer::Enforce if *holder == AddressHolder::Unknown => {
                PeerVerdict::Unproven
            }
            VerifyPeer::Auto | VerifyPeer::Enforce => PeerVerdict::Refused,
        }
    }

    /// Whether the address alone decides: it is the pod's own, or does not matter. Then who has it need not be looked
    /// up, as for most requests. A pod on the node's network shares its
    /// address with others.
    pub(crate) fn accepts_address(
        &self,
        peer: IpAddr,
        caller: &Caller,
        pod: Option<&PodFacts>,
    ) -> bool {
        self.mode == VerifyPeer::Off
            || self.exempt.contains(&caller.service_account)
            || pod.is_some_and(|pod| !pod.host_network && has(pod, peer))
    }

    /// Whether an address that is not the pod's alone may be its own, as far as is known.
    fn may_have(
        &self,
        peer: IpAddr,
        pod: Option<&PodFacts>,
        holder: &AddressHolder,
        caller: &Caller,
    ) -> bool {
        match (holder, pod) {
            (AddressHolder::Pod(uid), _) => *uid == caller.pod_uid,
            // The kernel may choose any of the node's addresses.
            (AddressHolder::Node, pod) => pod.is_some_and(|pod| pod.host_network),
            (AddressHolder::Unknown, Some(pod)) if pod.host_network => has(pod, peer),
            // A pod asks before its address is known, and is compared again as soon as it is.
            (AddressHolder::Unknown, Some(pod)) => pod.addresses.is_empty(),
            (AddressHolder::Unknown, None) => self.mode != VerifyPeer::Enforce,
        }
    }
}

fn has(pod: &PodFacts, peer: IpAddr) -> bool {
    pod.addresses.contains(&peer.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::caller;
    use PeerVerdict::{Accepted, Refused, Suspicious, Unproven};
    use VerifyPeer::{Auto, Enforce, Off, Warn};

    fn judge(
        mode: VerifyPeer,
        peer: &str,
        holder: &AddressHolder,
        pod: Option<&PodFacts>,
    ) -> PeerVerdict {
        let check = PeerCheck { mode, exempt: HashSet::new() };
        verdict(&check, peer.parse().unwrap(), holder, pod)
    }

    /// As the agent asks.
    fn verdict(
        check: &PeerCheck,
        peer: IpAddr,
        holder: &AddressHolder,
        pod: Option<&PodFacts>,
    ) -> PeerVerdict {
        if check.accepts_address(peer, &caller(), pod) {
            return Accepted;
        }
        check.check(peer, holder, &caller(), pod)
    }

    fn pod(addresses: &[&str], host_network: bool) -> PodFacts {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        PodFacts { addresses, host_network, ..PodFacts::default() }
    }

    fn other() -> AddressHolder {
        AddressHolder::Pod("another-uid".to_owned())
    }

    #[test]
    fn a_pods_own_addresses_are_accepted_in_every_mode() {
        let both = pod(&["10.1.2.3", "fd00::3"], false);
        for peer in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::3"] {
            for mode in [Off, Warn, Auto, Enforce] {
                assert_eq!(judge(mode, peer, &AddressHolder::Unknown, Some(&both)), Accepted);
            }
        }
    }

    #[test]
    fn another_address_is_judged_by_who_has_it() {
        let (known, unknown_address) = (pod(&["10.1.2.3"], false), pod(&[], false));
        let (node, unheld) = (AddressHolder::Node, AddressHolder::Unknown);
        let own = AddressHolder::Pod("pod-uid".to_owned());
        for (peer, holder, pod, warn, auto, enforce) in [
            // Another pod of this node has stolen the token, whatever is known of the token's pod.
            ("10.1.2.4", &other(), Some(&known), Suspicious, Refused, Refused),
            ("10.1.2.4", &other(), Some(&unknown_address), Suspicious, Refused, Refused),
            ("10.1.2.4", &other(), None, Suspicious, Refused, Refused),
            // An address that no pod is known to have.
            ("10.1.2.5", &unheld, Some(&known), Suspicious, Unproven, Unproven),
            ("10.1.2.5", &unheld, Some(&unknown_address), Accepted, Accepted, Accepted),
            ("10.1.2.5", &unheld, None, Accepted, Accepted, Unproven),
            // The node's: a network may translate the pod's address to it.
            ("192.0.2.7", &node, Some(&known), Suspicious, Suspicious, Refused),
            ("192.0.2.7", &node, Some(&unknown_address), Suspicious, Suspicious, Refused),
            ("192.0.2.7", &node, None, Suspicious, Suspicious, Refused),
            // The watch knows the pod's address before the look-up that found the pod.
            ("10.1.2.3", &own, None, Accepted, Accepted, Accepted),
        ] {
            for (mode, verdict) in [(Off, Accepted), (Warn, warn), (Auto, auto), (Enforce, enforce)]
            {
                assert_eq!(judge(mode, peer, holder, pod), verdict, "{mode:?} {peer} {holder:?}");
            }
        }
    }

    #[test]
    fn a_pod_on_the_nodes_network_may_use_the_nodes_addresses_and_no_other_pods() {
        let host = pod(&["192.0.2.7"], true);
        for peer in ["192.0.2.7", "192.0.2.8", "169.254.170.23", "::1"] {
            let verdict = judge(Enforce, peer, &AddressHolder::Node, Some(&host));
            assert_eq!(verdict, Accepted, "{peer}");
        }
        for (holder, verdict) in [(other(), Refused), (AddressHolder::Unknown, Unproven)] {
            assert_eq!(judge(Auto, "10.1.2.3", &holder, Some(&host)), verdict, "{holder:?}");
        }
        // The kernel says which of the pods at the node's address it is.
        for (mode, verdict) in [(Off, Accepted), (Warn, Suspicious), (Auto, Refused)] {
            assert_eq!(judge(mode, "192.0.2.7", &other(), Some(&host)), verdict, "{mode:?}");
        }
        let unheld = AddressHolder::Unknown;
        assert_eq!(judge(Enforce, "192.0.2.7", &unheld, Some(&host)), Accepted);
    }

    #[test]
    fn exempt_pods_are_accepted_from_everywhere() {
        let exempt = HashSet::from([caller().service_account]);
        let check = PeerCheck { mode: Enforce, exempt };
        let (peer, pod) = ("10.9.9.9".parse().unwrap(), pod(&["10.1.2.3"], false));
        assert_eq!(verdict(&check, peer, &other(), Some(&pod)), Accepted);
    }
}
