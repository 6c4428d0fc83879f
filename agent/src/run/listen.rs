//! The addresses that SDKs ask: taken over from a predecessor, or bound.

use std::{
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    time::Duration,
};

use podrole_runtime::{
    health::Gate,
    serve::{Limits, Server},
};
use tokio::time::sleep;

use crate::args::Args;

/// How soon an address that vanished is noticed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What listens.
pub(super) struct Listening {
    pub(super) servers: Vec<Server>,
    /// A predecessor accepts from the same sockets.
    pub(super) inherited: bool,
}

/// Takes the addresses first: a busy port is said before anything else starts.
pub(super) async fn bind(args: &Args) -> anyhow::Result<Listening> {
    let limits = Limits {
        // More than may be sent, so that what is a little longer is refused in JSON.
        head_bytes: 32 * 1024,
        connections_per_peer: args.connections_per_peer,
        ..Limits::default()
    };
    let mut theirs = predecessors(args.handover.as_deref()).await;
    let mut listening = Listening { servers: Vec::new(), inherited: false };
    for host in &args.bind_hosts {
        let address = SocketAddr::new(*host, args.port);
        if let Some(server) = take(&mut theirs, address, limits) {
            listening.inherited = true;
            listening.servers.push(server);
            continue;
        }
        match Server::bind(address, limits).await {
            Ok(server) => listening.servers.push(server),
            Err(error) if host.is_ipv6() => {
                tracing::warn!(%error, "this IPv6 address is not served");
            }
            // Its text tells the cause already; a chain would tell it twice.
            Err(error) => return Err(anyhow::Error::msg(error.to_string())),
        }
    }
    anyhow::ensure!(
        !listening.servers.is_empty(),
        "none of the addresses can be bound; name one of this machine's with --bind-hosts"
    );
    Ok(listening)
}

/// Asks off the runtime's threads: the predecessor may be slow.
async fn predecessors(path: Option<&Path>) -> Vec<TcpListener> {
    let Some(path) = path.map(Path::to_owned) else {
        return Vec::new();
    };
    let asked = tokio::task::spawn_blocking(move || crate::handover::inherit(&path));
    asked.await.unwrap_or_default()
}

/// The predecessor's socket on this address; with port 0, on any port of the host.
fn take(theirs: &mut Vec<TcpListener>, wanted: SocketAddr, limits: Limits) -> Option<Server> {
    let fits = |it: &TcpListener| {
        let theirs = it.local_addr().ok();
        theirs.is_some_and(|it| it == wanted || (wanted.port() == 0 && it.ip() == wanted.ip()))
    };
    let place = theirs.iter().position(fits)?;
    let taken = Server::take_over(theirs.swap_remove(place), limits);
    taken.inspect_err(|error| tracing::warn!(%error, "a predecessor's socket is of no use")).ok()
}

impl Listening {
    /// The addresses that were taken.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.servers.iter().map(|server| server.address().ip()).collect()
    }

    /// Offers the sockets to a successor.
    pub(super) fn offer(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = path else {
            return Ok(());
        };
        let shared: Result<Vec<_>, _> = self.servers.iter().map(Server::share).collect();
        crate::handover::offer(path, shared?).map_err(anyhow::Error::msg)
    }
}

/// Opens `there` while all addresses are this machine's, and closes it when one vanishes.
pub(super) async fn watch(addresses: Vec<IpAddr>, there: Gate) {
    loop {
        let gone = addresses.iter().find(|address| !is_ours(**address));
        match gone {
            None => there.open(),
            Some(address) => {
                if there.is_open() {
                    tracing::error!(%address, "this address is the node's no longer; SDKs cannot reach us");
                }
                there.close();
            }
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Whether the address is one of this machine's: only then can it be bound.
fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use podrole_runtime::health::Health;

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_not_ours_makes_us_unready() {
        let (ours, theirs) = ("127.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let health = Health::default();
        tokio::spawn(watch(vec![ours], health.gate("ours")));
        tokio::spawn(watch(vec![ours, theirs], health.gate("theirs")));
        sleep(BETWEEN_LOOKS * 2).await;
        assert_eq!(health.pending(), ["theirs"]);
    }

    #[tokio::test]
    async fn only_the_wanted_socket_is_taken() {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let mut theirs = vec![listen(), listen()];
        let second = theirs[1].local_addr().unwrap();
        let elsewhere = "127.0.0.2:0".parse().unwrap();
        assert!(take(&mut theirs, elsewhere, Limits::default()).is_none());
        let server = take(&mut theirs, second, Limits::default()).unwrap();
        assert_eq!((server.address(), theirs.len()), (second, 1));
        let any = "127.0.0.1:0".parse().unwrap();
        assert!(take(&mut theirs, any, Limits::default()).is_some());
    }
}
