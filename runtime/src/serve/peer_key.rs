//! Which connections count as those of one client.

use std::{collections::HashMap, fmt, net::IpAddr, time::Duration};

use tokio::time::Instant;

use crate::local_address::is_local;

/// How long it is remembered whether an address is this machine's.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How many addresses are remembered.
const MAX_REMEMBERED: usize = 4096;

/// A client, as far as limits are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum PeerKey {
    /// Any process on this machine.
    Machine,
    /// Another machine, or a pod.
    Address(IpAddr),
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine => f.write_str("this machine"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Tells the addresses of this machine from others.
pub(super) struct PeerKeys {
    machine_is_one: bool,
    own: HashMap<IpAddr, bool>,
    since: Instant,
}

impl PeerKeys {
    pub(super) fn new(machine_is_one: bool) -> Self {
        Self { machine_is_one, own: HashMap::new(), since: Instant::now() }
    }

    /// The client with this address.
    pub(super) fn of(&mut self, address: IpAddr) -> PeerKey {
        let address = address.to_canonical();
        if !self.machine_is_one {
            return PeerKey::Address(address);
        }
        // A process without rights may bind any address of 127.0.0.0/8, so none is looked up. A
        // link-local IPv6 address comes without its link, and could not be.
        if address.is_loopback() || is_link_local(address) || self.is_own(address) {
            return PeerKey::Machine;
        }
        PeerKey::Address(address)
    }

    fn is_own(&mut self, address: IpAddr) -> bool {
        if self.own.len() >= MAX_REMEMBERED || self.since.elapsed() > REMEMBERED {
            self.own.clear();
            self.since = Instant::now();
        }
        *self.own.entry(address).or_insert_with(|| is_local(address))
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_addresses_of_the_machine_are_one_peer_if_asked_for() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut one = PeerKeys::new(true);
        for own in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "fe80::1"] {
            assert_eq!(one.of(address(own)), PeerKey::Machine, "{own}");
        }
        let other = address("192.0.2.1");
        assert_eq!(one.of(other), PeerKey::Address(other));
        assert!(one.own.contains_key(&other), "it is looked up again for each connection");
        let mut each = PeerKeys::new(false);
        assert_ne!(each.of(address("127.0.0.1")), each.of(address("127.0.0.2")));
        assert_eq!(each.of(address("::ffff:192.0.2.1")), each.of(other));
    }
}
