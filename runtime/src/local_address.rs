//! Whether this machine has an address: only then does the kernel bind to it. Nothing is sent.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// Whether this machine has the address, or the kernel binds to every address (`ip_nonlocal_bind`).
#[must_use]
pub fn is_local(address: IpAddr) -> bool {
    bind(address).is_ok()
}

/// Whether the address is known to be on one of this machine's links. If the kernel binds to every address, none is;
/// if it binds to none, because the process is out of file descriptors, each may be.
#[must_use]
pub fn is_on_a_link(address: IpAddr) -> bool {
    /// Reserved for documentation, so they are no machine's.
    const NOWHERE: [IpAddr; 2] = [
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    ];
    let is_ours = match bind(address) {
        Ok(()) => true,
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
    };
    is_ours && bind(NOWHERE[usize::from(address.is_ipv6())]).is_err()
}

fn bind(address: IpAddr) -> io::Result<()> {
    UdpSocket::bind(SocketAddr::new(address, 0)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_local() {
        for (address, expected) in
            [("127.0.0.1", true), ("127.8.9.10", true), ("192.0.2.1", false), ("192.0.2.7", false)]
        {
            let address = address.parse().unwrap();
            assert_eq!(
                (is_local(address), is_on_a_link(address)),
                (expected, expected),
                "{address}"
            );
        }
    }
}
