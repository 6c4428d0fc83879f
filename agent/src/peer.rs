//! Whether a request comes from its token's pod, which shows that a token was stolen. Pure.
//!
//! A network may hide a pod behind another address, so the default only warns.

use std::{collections::HashSet, net::IpAddr};

use clap::ValueEnum;
use podrole_identity::ServiceAccountRef;

use crate::{node::PodFacts, token::Caller};

/// What happens to a request from another address than the pod's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VerifyPeer {
    /// Nothing is compared
    Off,
    /// It is served and logged
    #[default]
    Warn,
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
    /// The agent's addresses, which requests of pods on the node's network may come from.
    pub own: Vec<IpAddr>,
}

/// The result of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerVerdict {
    /// The address is the pod's, or cannot be checked.
    Accepted,
    /// The address is another one; the request is served nevertheless.
    Suspicious,
    /// The address is another one; the request is refused.
    Refused,
}

impl PeerCheck {
    /// Compares the address of a request with `caller`'s pod.
    #[must_use]
    pub fn check(&self, peer: IpAddr, caller: &Caller, pod: Option<&PodFacts>) -> PeerVerdict {
        let known = pod.filter(|pod| !pod.addresses.is_empty());
        let accepted = self.mode == VerifyPeer::Off
            || self.exempt.contains(&caller.service_account)
            || known.is_none_or(|pod| self.is_of(peer.to_canonical(), pod));
        match (accepted, self.mode) {
            (true, _) => PeerVerdict::Accepted,
            (false, VerifyPeer::Enforce) => PeerVerdict::Refused,
            (false, _) => PeerVerdict::Suspicious,
        }
    }

    fn is_of(&self, peer: IpAddr, pod: &PodFacts) -> bool {
        // For a pod on the node's network the kernel may choose any of the node's addresses.
        let local = || peer.is_loopback() || self.own.contains(&peer);
        pod.addresses.contains(&peer) || (pod.host_network && local())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::caller;

    fn judge(mode: VerifyPeer, peer: &str, pod: &PodFacts) -> PeerVerdict {
        let own = vec!["169.254.170.23".parse().unwrap()];
        let check = PeerCheck { mode, exempt: HashSet::new(), own };
        check.check(peer.parse().unwrap(), &caller(), Some(pod))
    }

    fn pod(addresses: &[&str], host_network: bool) -> PodFacts {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        PodFacts { addresses, host_network, ..PodFacts::default() }
    }

    #[test]
    fn a_pods_own_addresses_are_accepted_and_others_are_not() {
        use PeerVerdict::{Accepted, Refused, Suspicious};
        let both = pod(&["10.1.2.3", "fd00::3"], false);
        for (peer, enforce, warn) in [
            ("10.1.2.3", Accepted, Accepted),
            ("::ffff:10.1.2.3", Accepted, Accepted),
            ("fd00::3", Accepted, Accepted),
            ("10.1.2.4", Refused, Suspicious),
            ("127.0.0.1", Refused, Suspicious),
            ("169.254.170.23", Refused, Suspicious),
        ] {
            assert_eq!(judge(VerifyPeer::Enforce, peer, &both), enforce, "{peer}");
            assert_eq!(judge(VerifyPeer::Warn, peer, &both), warn, "{peer}");
            assert_eq!(judge(VerifyPeer::Off, peer, &both), Accepted, "{peer}");
        }
    }

    #[test]
    fn a_pod_on_the_nodes_network_may_use_the_nodes_addresses() {
        let host = pod(&["192.0.2.7"], true);
        for peer in ["192.0.2.7", "169.254.170.23", "127.0.0.1", "::1"] {
            assert_eq!(judge(VerifyPeer::Enforce, peer, &host), PeerVerdict::Accepted, "{peer}");
        }
        assert_eq!(judge(VerifyPeer::Enforce, "10.1.2.3", &host), PeerVerdict::Refused);
    }

    #[test]
    fn exempt_pods_and_pods_without_known_addresses_are_accepted() {
        assert_eq!(judge(VerifyPeer::Enforce, "10.9.9.9", &pod(&[], false)), PeerVerdict::Accepted);
        let exempt = HashSet::from([caller().service_account]);
        let check = PeerCheck { mode: VerifyPeer::Enforce, exempt, own: Vec::new() };
        let (peer, pod) = ("10.9.9.9".parse().unwrap(), pod(&["10.1.2.3"], false));
        assert_eq!(check.check(peer, &caller(), Some(&pod)), PeerVerdict::Accepted);
        let check = PeerCheck { exempt: HashSet::new(), ..check };
        assert_eq!(check.check(peer, &caller(), None), PeerVerdict::Accepted);
    }
}
