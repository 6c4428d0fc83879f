//! What the agent and its parent process send each other. Each message is JSON in a packet of its own; listening sockets
//! come with it.

use std::{io, net::SocketAddr, os::fd::OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde::{Deserialize, Serialize};

/// The longest message, in bytes.
pub(crate) const MAX_MESSAGE: usize = 8192;

/// What the agent asks its parent for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// The sockets of the agent that ran before, if there was one.
    Take,
    /// To keep the sockets that come with this, for the next agent.
    Keep,
    /// To listen on these addresses.
    Bind(Vec<SocketAddr>),
}

/// The parent's answer. Sockets come with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// How often the parent has started an agent again.
    pub(crate) restarts: u64,
    /// Whether a predecessor in another pod may accept connections from the same sockets: none of the agents of this
    /// parent was ready yet.
    pub(crate) shared: bool,
    /// The addresses that could not be bound.
    #[serde(default)]
    pub(crate) failed: Vec<Failure>,
}

/// Why an address could not be bound.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) address: SocketAddr,
    /// The kernel's error number, or `None` if the parent does not bind this address.
    pub(crate) code: Option<i32>,
}

/// The two ends of a channel: of the parent, and of the agent.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}
