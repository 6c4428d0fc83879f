//! Listening sockets, and why there is none.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use tokio::net::TcpSocket;

/// How many connections the kernel holds before they are accepted. It lowers this to its own limit.
const BACKLOG: u32 = 4096;

/// An address could not be bound. The text says how to fix it.
#[derive(Debug, thiserror::Error)]
#[error("could not listen on {address}: {cause}{}", hint(.cause))]
pub struct BindError {
    address: SocketAddr,
    /// Not a `source`: the text includes it.
    cause: io::Error,
}

impl BindError {
    /// The kernel's error for this address.
    #[must_use]
    pub fn new(address: SocketAddr, cause: io::Error) -> Self {
        Self { address, cause }
    }

    /// The kind of the underlying error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or stop the process that uses this one",
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has this address",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or the capability NET_BIND_SERVICE"
        }
        _ => "",
    }
}

/// A socket that listens on `address` and does not block; port 0 chooses a free port. Must be called in a runtime.
///
/// # Errors
/// If the address is in use, not local, or not permitted.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A successor can bind the port while connections of its predecessor are ending.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
