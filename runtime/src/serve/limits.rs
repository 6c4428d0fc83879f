//! The limits of a listener.

use std::time::Duration;

/// Limits and timeouts of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections. At the limit one is closed for each new one: one without a finished
    /// handshake first, one that has had an answered request last.
    pub connections: usize,
    /// Open connections of one client address; 0 means no limit. At the limit the address loses one
    /// of its own for each new one.
    pub connections_per_peer: usize,
    /// How many of the connections no other client can take from the addresses that have had an
    /// answered request.
    pub reserved_connections: usize,
    /// Whether all addresses of this machine, those of loopback too, count as one address: a
    /// process on the machine may use any of them.
    pub machine_is_one_peer: bool,
    /// Timeout of a TLS handshake, from the connection on. It shrinks to a tenth as connections
    /// reach their limit.
    pub handshake: Duration,
    /// How long a connection may be idle.
    pub idle: Duration,
    /// How long the head of an HTTP/1.1 request may take, from its first byte on.
    pub head: Duration,
    /// Maximum size of a request's head in bytes; at least 8192 over HTTP/1.1.
    pub head_bytes: usize,
    /// Requests in flight on one HTTP/2 connection.
    pub streams: u32,
    /// Memory in bytes for all requests in flight that have a body; 0 means no limit. At the limit
    /// the largest request of the address that holds most is given up.
    pub request_bytes: usize,
    /// How long a shutdown waits for requests in flight.
    pub drain: Duration,
}

impl Default for Limits {
    /// 1,024 connections, none of them reserved, 5 s for a handshake, 30 s and 32 KiB for a head,
    /// 100 HTTP/2 streams, no limit of memory, 20 s of drain. 120 s of idle time: API servers keep
    /// idle connections for 90 s and do not retry a POST that was reset, so the client must be the
    /// one that closes.
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_peer: 0,
            reserved_connections: 0,
            machine_is_one_peer: false,
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(120),
            head: Duration::from_secs(30),
            head_bytes: 32 * 1024,
            streams: 100,
            request_bytes: 0,
            drain: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// For a port of probes and metrics: 256 connections, so that an attack on it leaves file
    /// descriptors and memory to the port that it reports on.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            connections: 256,
            connections_per_peer: 128,
            reserved_connections: 64,
            head: Duration::from_secs(5),
            request_bytes: 1024 * 1024,
            ..Self::default()
        }
    }
}
