//! The host in an authority, as a `Host` header or a URL has it.

/// The name or address without a port, and without the brackets of an IPv6 address.
#[must_use]
pub fn without_port(host: &str) -> &str {
    if let Some((name, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return name;
    }
    match host.split_once(':') {
        // A single colon separates a port; several belong to an IPv6 address without brackets.
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_and_brackets_are_left_out() {
        for (authority, host) in [
            ("localhost:4566", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:80", "::1"),
            ("[fd00:ec2::23]", "fd00:ec2::23"),
            ("fd00:ec2::23", "fd00:ec2::23"),
            ("192.0.2.7:1", "192.0.2.7"),
        ] {
            assert_eq!(without_port(authority), host, "{authority}");
        }
    }
}
