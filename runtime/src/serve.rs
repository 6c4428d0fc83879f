//! The accept loop, with limits on connections, a timeout for each phase and a graceful shutdown.
//!
//! Binding and running are separate steps: a port in use is reported before anything else starts,
//! and tests learn which port they got.

mod activity;
mod answerer;
mod closed_log;
mod connection;
mod head_clock;
mod in_flight;
mod limits;
mod peer_key;
mod request_bytes;
mod seating;
mod seats;

use std::{
    io,
    net::{self, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use answerer::{Answerer, Began, ClientCertificate, ForEveryone, Peer};
use closed_log::ClosedLog;
use connection::{Connection, Draining};
pub use in_flight::RequestBody;
use in_flight::Requests;
pub use limits::Limits;
use peer_key::{PeerKey, PeerKeys};
use seating::{Seat, Seating, Welcome};

use crate::listen::{BindError, listen};

/// How long a new connection waits before it looks for a place again.
const WAIT: Duration = Duration::from_millis(10);
/// The time between two warnings of the same kind. An attack causes thousands of events.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

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
        let failed = |source| BindError::new(address, source);
        let listener = TcpListener::from_std(listen(address).map_err(failed)?).map_err(failed)?;
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
        let limits = self.limits;
        let connection = Connection {
            http: connection::http(limits, self.tls.is_some()),
            tls: self.tls.map(TlsAcceptor::from),
            limits,
            requests: Requests::new(limits.request_bytes),
            answerer,
            draining: Draining::default(),
        };
        let connection = Arc::new(connection);
        let mut door = Door::new(limits);
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = door.accept(&self.listener) => accepted,
            };
            let Some((stream, peer)) = accepted else {
                continue;
            };
            // An accepted connection is served even if the shutdown begins meanwhile: its client
            // may have sent a request that it cannot repeat.
            let stream = Arc::new(stream);
            let Some(seat) = door.seat(&stream, peer).await else {
                continue;
            };
            let connection = Arc::clone(&connection);
            tasks.spawn(async move {
                connection.serve(stream, peer, &Arc::new(seat)).await;
            });
        }
        connection.draining.begin();
        drop(self.listener);
        tasks.close();
        if timeout(limits.drain, tasks.wait()).await.is_err() {
            tracing::warn!(
                connections = tasks.len(),
                "could not finish all requests before the drain timeout; closing their connections"
            );
        }
    }
}

/// Accepts connections and finds a place for each.
struct Door {
    seating: Seating,
    keys: PeerKeys,
    warned_of_accept: Option<Instant>,
    closed: ClosedLog,
}

impl Door {
    fn new(limits: Limits) -> Self {
        let keys = PeerKeys::new(limits.machine_is_one_peer);
        let seating = Seating::new(limits);
        Self { seating, keys, warned_of_accept: None, closed: ClosedLog::default() }
    }

    async fn accept(&mut self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                Some((stream, peer))
            }
            Err(error) => {
                // Usually the process is out of file descriptors. An immediate retry would spin.
                self.seating.close_one();
                if is_due(&mut self.warned_of_accept) {
                    tracing::warn!(
                        %error,
                        "could not accept a connection; closing another one and retrying"
                    );
                }
                sleep(WAIT).await;
                None
            }
        }
    }

    /// Returns the connection's place, or `None` if its client has too many that are at work.
    async fn seat(&mut self, stream: &Arc<TcpStream>, peer: SocketAddr) -> Option<Seat> {
        let key = self.keys.of(peer.ip());
        loop {
            match self.seating.admit(stream, key) {
                Welcome::Seated { seat, displaced } => {
                    if let Some(loser) = displaced {
                        self.log_closed(loser);
                    }
                    return Some(seat);
                }
                Welcome::Wait => sleep(WAIT).await,
                Welcome::Refused => {
                    tracing::debug!(%peer, "closed a connection over the limit of its address");
                    return None;
                }
            }
        }
    }

    fn log_closed(&mut self, peer: PeerKey) {
        if let Some(closed) = self.closed.count(peer, Instant::now()) {
            let connections = self.seating.len();
            tracing::warn!(
                connections,
                %peer,
                closed,
                "closed connections of a client for new ones; it or the listener is at its limit"
            );
        }
    }
}

/// Whether a warning is due, which it is once a minute.
fn is_due(last: &mut Option<Instant>) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= BETWEEN_WARNINGS);
    if due {
        *last = Some(Instant::now());
    }
    due
}

#[cfg(test)]
mod tests;
