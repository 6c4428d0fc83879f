//! The accept loop: limits before work, deadlines on everything, an orderly end.
//!
//! Bind first, then run: a busy port is known before anything else starts, and tests learn the
//! port that they got.

mod answerer;
mod connection;
mod peers;
mod seats;

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
use connection::{Connection, Ending};
pub use hyper::body::Incoming;
use peers::Peers;
use seats::Seats;

/// How long a connection that rests has to make room before the next one is asked.
const MAKING_ROOM: Duration = Duration::from_millis(10);

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; for the next one, the one that rests longest makes room. Where none
    /// rests, it waits in the kernel's queue.
    pub connections: usize,
    /// Connections at once from one address; 0 sets no limit. The next is closed at once.
    pub connections_per_peer: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a connection may lie idle, and how long a request's head may take to arrive.
    pub idle: Duration,
    /// Bytes of a request's head over HTTP/1; at least 8192.
    pub head_bytes: usize,
    /// How long requests in flight are waited for at the end.
    pub drain: Duration,
}

impl Default for Limits {
    /// 1,024 connections from anywhere, 5 s for a handshake, 120 s idle (API servers keep theirs for 90 s and
    /// do not repeat a POST that was reset), 32 kB of head, 20 s at the end.
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

/// An address that could not be taken, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", mend(.source))]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl BindError {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or stop what holds this one",
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has that address",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or the capability NET_BIND_SERVICE"
        }
        _ => "",
    }
}

/// A listener that is bound and not yet serving.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
}

impl Server {
    /// Takes the address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is busy, not this machine's, or not allowed.
    pub async fn bind(address: SocketAddr, limits: Limits) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, tls: None, limits })
    }

    /// Takes over a socket that listens already: from a predecessor, or from whoever started us.
    ///
    /// # Errors
    /// When it is no listening socket.
    pub fn take_over(listener: net::TcpListener, limits: Limits) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, tls: None, limits })
    }

    /// The same socket once more, for a successor: both accept from one queue, so that nothing is
    /// lost when one of them ends.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    #[cfg(unix)]
    pub fn share(&self) -> io::Result<net::TcpListener> {
        use std::os::fd::AsFd as _;
        Ok(self.listener.as_fd().try_clone_to_owned()?.into())
    }

    /// Serves HTTPS. The configuration may resolve its certificate anew for each handshake.
    #[must_use]
    pub fn with_tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The address that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then lets what is in flight finish within `Limits::drain`.
    pub async fn run<A: Answerer>(self, answerer: A, shutdown: CancellationToken) {
        let connection = Connection {
            http: connection::http(self.limits, self.tls.is_some()),
            tls: self.tls.map(TlsAcceptor::from),
            handshake: self.limits.handshake,
            idle: self.limits.idle,
            answerer,
            ending: Ending::default(),
        };
        let connection = Arc::new(connection);
        let permits = Arc::new(Semaphore::new(self.limits.connections));
        let peers = Peers::new(self.limits.connections_per_peer);
        let seats = Seats::new();
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept(&self.listener) => accepted,
            };
            let Some((stream, peer)) = accepted else {
                continue;
            };
            let Some(share) = peers.enter(peer.ip()) else {
                tracing::debug!(%peer, "too many connections from one address");
                continue;
            };
            // Who was accepted is served, whatever comes meanwhile.
            let permit = permit(&permits, &seats).await;
            let connection = Arc::clone(&connection);
            let seat = Arc::new(seats.take());
            tasks.spawn(async move {
                connection.serve(stream, peer, &seat).await;
                drop((permit, share));
            });
        }
        connection.ending.begin();
        drop(self.listener);
        tasks.close();
        if timeout(self.limits.drain, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "requests were cut at the end of the drain");
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
            // Out of file descriptors, mostly: trying at once would only burn the processor.
            tracing::warn!(%error, "a connection could not be accepted");
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// A permit for who is there, which somebody who rests may have to give back first.
async fn permit(permits: &Arc<Semaphore>, seats: &Seats) -> OwnedSemaphorePermit {
    loop {
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return permit;
        }
        seats.make_room();
        let free = Arc::clone(permits).acquire_owned();
        if let Ok(Ok(permit)) = timeout(MAKING_ROOM, free).await {
            return permit;
        }
    }
}

#[cfg(test)]
mod tests;
