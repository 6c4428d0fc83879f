//! Does the request come from the token's pod? A token that was stolen shows here.
//!
//! Pure. The network may hide a pod behind another address, so the default only warns.

use std::{collections::HashSet, net::IpAddr};

use clap::ValueEnum;
use podrole_identity::ServiceAccountRef;

use crate::{node::PodFacts, token::Caller};

/// What is done about a request from elsewhere.
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

/// Compares who speaks with who should.
#[derive(Clone, Debug, Default)]
pub struct PeerCheck {
    /// What is done.
    pub mode: VerifyPeer,
    /// ServiceAccounts whose pods may ask through others.
    pub exempt: HashSet<ServiceAccountRef>,
    /// The agent's own addresses: what pods on the node's network are seen as.
    pub own: Vec<IpAddr>,
}

/// What the comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerVerdict {
    /// It is the pod, or nobody can say.
    Fine,
    /// It is somebody else, and served all the same.
    Suspicious,
    /// It is somebody else.
    Refused,
}

impl PeerCheck {
    /// Judges a request from `peer` with the token of `caller`'s pod.
    #[must_use]
    pub fn judge(&self, peer: IpAddr, caller: &Caller, pod: Option<&PodFacts>) -> PeerVerdict {
        let known = pod.filter(|pod| !pod.addresses.is_empty());
        let fine = self.mode == VerifyPeer::Off
            || self.exempt.contains(&caller.service_account)
            || known.is_none_or(|pod| self.is_of(peer.to_canonical(), pod));
        match (fine, self.mode) {
            (true, _) => PeerVerdict::Fine,
            (false, VerifyPeer::Enforce) => PeerVerdict::Refused,
            (false, _) => PeerVerdict::Suspicious,
        }
    }

    fn is_of(&self, peer: IpAddr, pod: &PodFacts) -> bool {
        // On the node's own network the kernel picks any of the node's addresses.
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
        check.judge(peer.parse().unwrap(), &caller(), Some(pod))
    }

    fn pod(addresses: &[&str], host_network: bool) -> PodFacts {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        PodFacts { addresses, host_network, ..PodFacts::default() }
    }

    #[test]
    fn a_pods_own_addresses_are_fine_and_others_are_not() {
        use PeerVerdict::{Fine, Refused, Suspicious};
        let both = pod(&["10.1.2.3", "fd00::3"], false);
        for (peer, enforce, warn) in [
            ("10.1.2.3", Fine, Fine),
            ("::ffff:10.1.2.3", Fine, Fine),
            ("fd00::3", Fine, Fine),
            ("10.1.2.4", Refused, Suspicious),
            ("127.0.0.1", Refused, Suspicious),
            ("169.254.170.23", Refused, Suspicious),
        ] {
            assert_eq!(judge(VerifyPeer::Enforce, peer, &both), enforce, "{peer}");
            assert_eq!(judge(VerifyPeer::Warn, peer, &both), warn, "{peer}");
            assert_eq!(judge(VerifyPeer::Off, peer, &both), Fine, "{peer}");
        }
    }

    #[test]
    fn on_the_nodes_network_the_nodes_addresses_are_the_pods() {
        let host = pod(&["192.0.2.7"], true);
        for peer in ["192.0.2.7", "169.254.170.23", "127.0.0.1", "::1"] {
            assert_eq!(judge(VerifyPeer::Enforce, peer, &host), PeerVerdict::Fine, "{peer}");
        }
        assert_eq!(judge(VerifyPeer::Enforce, "10.1.2.3", &host), PeerVerdict::Refused);
    }

    #[test]
    fn nobody_is_refused_for_what_is_not_known_or_exempt() {
        assert_eq!(judge(VerifyPeer::Enforce, "10.9.9.9", &pod(&[], false)), PeerVerdict::Fine);
        let exempt = HashSet::from([caller().service_account]);
        let check = PeerCheck { mode: VerifyPeer::Enforce, exempt, own: Vec::new() };
        let (peer, pod) = ("10.9.9.9".parse().unwrap(), pod(&["10.1.2.3"], false));
        assert_eq!(check.judge(peer, &caller(), Some(&pod)), PeerVerdict::Fine);
        let check = PeerCheck { exempt: HashSet::new(), ..check };
        assert_eq!(check.judge(peer, &caller(), None), PeerVerdict::Fine);
    }
}
