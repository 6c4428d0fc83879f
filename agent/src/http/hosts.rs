//! The names that requests may ask for.

use std::net::IpAddr;

/// The names under which the agent may be asked. A foreign name in `Host` is a browser that was
/// led here, not an SDK.
#[derive(Clone, Debug)]
pub struct Hosts {
    addresses: Vec<IpAddr>,
    loopback: bool,
}

impl Hosts {
    /// The addresses that are bound, EKS's two, and every loopback name if one of them is loopback.
    #[must_use]
    pub fn bound_to(addresses: &[IpAddr]) -> Self {
        let eks =
            [IpAddr::from([169, 254, 170, 23]), IpAddr::from([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23])];
        Self {
            addresses: addresses.iter().copied().chain(eks).collect(),
            loopback: addresses.iter().any(IpAddr::is_loopback),
        }
    }

    /// Whether a `Host` header (with or without a port) names the agent.
    #[must_use]
    pub fn allow(&self, host: &str) -> bool {
        let name = without_port(host);
        if self.loopback && name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        name.parse().is_ok_and(|address: IpAddr| {
            self.addresses.contains(&address) || (self.loopback && address.is_loopback())
        })
    }
}

fn without_port(host: &str) -> &str {
    if let Some((name, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return name;
    }
    match host.split_once(':') {
        // One colon divides a port; several are an IPv6 address without its brackets.
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}
