//! The host names that requests may ask for.

use std::net::IpAddr;

use podrole_runtime::host_name::without_port;

/// The names of the agent. A request for any other name comes from a browser that DNS rebinding
/// led here, not from an SDK.
#[derive(Clone, Debug)]
pub struct Hosts {
    addresses: Vec<IpAddr>,
    loopback: bool,
}

impl Hosts {
    /// The bound addresses, EKS's two, and every loopback name if one of them is loopback.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(bound: &str) -> Hosts {
        Hosts::bound_to(&[bound.parse().unwrap()])
    }

    #[test]
    fn the_agents_own_names_are_allowed_with_and_without_a_port() {
        for host in [
            "169.254.170.23",
            "169.254.170.23:80",
            "[fd00:ec2::23]",
            "[fd00:ec2::23]:80",
            "fd00:ec2::23",
            "[FD00:EC2:0::23]",
            "10.0.0.7:8080",
        ] {
            assert!(hosts("10.0.0.7").allow(host), "{host}");
        }
        for host in [
            "",
            "localhost",
            "127.0.0.1",
            "evil.example",
            "169.254.170.24",
            "169.254.170.23.evil.example",
            "[::1]",
            "[fd00:ec2::23",
            "10.0.0.7:80:80",
        ] {
            assert!(!hosts("10.0.0.7").allow(host), "{host}");
        }
        for host in
            ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:1", "127.0.0.9", "169.254.170.23"]
        {
            assert!(hosts("127.0.0.1").allow(host), "{host}");
        }
        assert!(!hosts("127.0.0.1").allow("localhost.evil.example"));
    }
}
