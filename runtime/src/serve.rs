//! The accept loop, with limits on connections, a timeout for each phase and a graceful shutdown.
//!
//! Binding and running are separate steps: a port in use is reported before anything else starts,
//! and tests learn which port they got.

mod answerer;
mod connection;
mod idle_connections;
mod per_peer_limit;

use std::{
    io,
    net::{self, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use answerer::{Answerer, Peer};
use connection::{Connection, Draining};
pub use hyper::body::Incoming;
use idle_connections::IdleConnections;
use per_peer_limit::PerPeerLimit;

/// How long to wait for an idle connection to close before asking the next one.
const CLOSE_WAIT: Duration = Duration::from_millis(10);

/// Limits and timeouts of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections. At the limit the connection that has been idle longest is closed for a
    /// new one; if none is idle, new connections wait in the kernel's accept queue.
    pub connections: usize,
    /// Open connections of one client address; 0 means no limit. Further ones are closed at once.
    pub connections_per_peer: usize,
    /// Timeout of a TLS handshake.
    pub handshake: Duration,
    /// How long a connection may be idle, and how long the head of a request may take to arrive.
    pub idle: Duration,
    /// Maximum size of a request's head in bytes; at least 8192 over HTTP/1.
    pub head_bytes: usize,
    /// How long a shutdown waits for requests in flight.
    pub drain: Duration,
}

impl Default for Limits {
    /// 1,024 connections, 5 s for a handshake, 32 KiB of head, 20 s of drain. 120 s of idle time:
    /// API servers keep idle connections for 90 s and do not retry a POST that was reset, so the
    /// client must be the one that closes.
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_peer: 0,
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(120),
            head_bytes: 32 * 1024,
            drain: Duration::from_secs(20),
        }
    }
}

/// An address could not be bound. The text says how to fix it.
#[derive(Debug, thiserror::Error)]
#[error("could not listen on {address}: {source}{}", hint(.source))]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl BindError {
    /// The kind of the underlying error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
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

/// A bound listener that is not serving yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
}

impl Server {
    /// Binds `address`; port 0 chooses a free port.
    ///
    /// # Errors
    /// If the address is in use, not local, or not permitted.
    pub async fn bind(address: SocketAddr, limits: Limits) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, tls: None, limits })
    }

    /// Serves on a socket that already listens: from a predecessor or from the parent process.
    ///
    /// # Errors
    /// If it is not a listening socket.
    pub fn take_over(listener: net::TcpListener, limits: Limits) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, tls: None, limits })
    }

    /// Duplicates the socket for a successor. Both accept from one queue, so no connection is lost
    /// when one of them ends.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    #[cfg(unix)]
    pub fn share(&self) -> io::Result<net::TcpListener> {
        use std::os::fd::AsFd as _;
        Ok(self.listener.as_fd().try_clone_to_owned()?.into())
    }

    /// Serves HTTPS. The configuration can resolve another certificate for each handshake.
    #[must_use]
    pub fn with_tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The bound address, with the actual port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then waits up to `Limits::drain` for requests in flight.
    pub async fn run<A: Answerer>(self, answerer: A, shutdown: CancellationToken) {
        let connection = Connection {
            http: connection::http(self.limits, self.tls.is_some()),
            tls: self.tls.map(TlsAcceptor::from),
            handshake: self.limits.handshake,
            idle: self.limits.idle,
            answerer,
            draining: Draining::default(),
        };
        let connection = Arc::new(connection);
        let permits = Arc::new(Semaphore::new(self.limits.connections));
        let per_peer = PerPeerLimit::new(self.limits.connections_per_peer);
        let idle = IdleConnections::new();
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept(&self.listener) => accepted,
            };
            let Some((stream, peer)) = accepted else {
                continue;
            };
            let Some(peer_permit) = per_peer.acquire(peer.ip()) else {
                tracing::debug!(%peer, "closed a connection over the limit of its address");
                continue;
            };
            // An accepted connection is served even if the shutdown begins meanwhile: its client
            // may have sent a request that it cannot repeat.
            let permit = acquire(&permits, &idle).await;
            let connection = Arc::clone(&connection);
            let tracked = Arc::new(idle.track());
            tasks.spawn(async move {
                connection.serve(stream, peer, &tracked).await;
                drop((permit, peer_permit));
            });
        }
        connection.draining.begin();
        drop(self.listener);
        tasks.close();
        if timeout(self.limits.drain, tasks.wait()).await.is_err() {
            tracing::warn!(
                connections = tasks.len(),
                "could not finish all requests before the drain timeout; closing their connections"
            );
        }
    }
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, peer))
        }
        Err(error) => {
            // Usually the process is out of file descriptors. An immediate retry would spin.
            tracing::warn!(%error, "could not accept a connection; retrying in 100 ms");
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// Returns a permit for one connection, closing idle connections if the limit is reached.
async fn acquire(permits: &Arc<Semaphore>, idle: &IdleConnections) -> OwnedSemaphorePermit {
    loop {
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return permit;
        }
        idle.close_longest_idle();
        let free = Arc::clone(permits).acquire_owned();
        if let Ok(Ok(permit)) = timeout(CLOSE_WAIT, free).await {
            return permit;
        }
    }
}

#[cfg(test)]
mod tests;
