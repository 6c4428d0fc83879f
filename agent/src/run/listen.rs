//! The listening sockets: inherited from a predecessor, or bound.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use podrole_runtime::{
    health::Gate,
    local_address::is_local,
    serve::{Limits, Server},
};
use tokio::time::sleep;

use crate::{args::Args, http::limits};

/// How often the addresses are checked.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// The listening servers.
pub(super) struct Listening {
    pub(super) servers: Vec<Server>,
    /// Whether a predecessor accepts connections from the same sockets.
    pub(super) inherited: bool,
}

/// Inherits or binds the addresses. This comes first, so that a busy port is reported before
/// anything else starts.
pub(super) async fn bind(args: &Args) -> anyhow::Result<Listening> {
    let limits = limits(args.connections_per_peer);
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
                tracing::warn!(%error, "could not bind an IPv6 address; serving the others");
            }
            // Its text includes the cause, which a chain would repeat.
            Err(error) => return Err(anyhow::Error::msg(error.to_string())),
        }
    }
    anyhow::ensure!(
        !listening.servers.is_empty(),
        "could not bind any address; set --bind-hosts to an address of this machine"
    );
    Ok(listening)
}

/// Inherits on a blocking thread, because the predecessor may be slow.
async fn predecessors(path: Option<&Path>) -> Vec<TcpListener> {
    let Some(path) = path.map(Path::to_owned) else {
        return Vec::new();
    };
    let asked = tokio::task::spawn_blocking(move || crate::handover::inherit(&path));
    asked.await.unwrap_or_default()
}

/// Takes the predecessor's socket for this address; with port 0, for any port of the host.
fn take(theirs: &mut Vec<TcpListener>, wanted: SocketAddr, limits: Limits) -> Option<Server> {
    let fits = |it: &TcpListener| {
        let theirs = it.local_addr().ok();
        theirs.is_some_and(|it| it == wanted || (wanted.port() == 0 && it.ip() == wanted.ip()))
    };
    let place = theirs.iter().position(fits)?;
    let taken = Server::take_over(theirs.swap_remove(place), limits);
    taken.inspect_err(|error| tracing::warn!(%error, "could not use a socket of the predecessor; binding another")).ok()
}

impl Listening {
    /// The addresses that are served.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.servers.iter().map(|server| server.address().ip()).collect()
    }

    /// Offers the sockets to successors.
    pub(super) fn offer(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = path else {
            return Ok(());
        };
        let shared: Result<Vec<_>, _> = self.servers.iter().map(Server::share).collect();
        Ok(crate::handover::offer(path, shared?)?)
    }
}

/// Keeps `there` open while this machine has all addresses.
pub(super) async fn watch(addresses: Vec<IpAddr>, there: Gate) {
    loop {
        let gone = addresses.iter().find(|address| !is_local(**address));
        match gone {
            None => there.open(),
            Some(address) => {
                if there.is_open() {
                    tracing::error!(%address, "the node no longer has this address, so SDKs cannot reach the agent; waiting for it");
                }
                there.close();
            }
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use podrole_runtime::health::Health;

    #[tokio::test(start_paused = true)]
    async fn the_agent_is_unready_while_an_address_is_missing() {
        let (ours, theirs) = ("127.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let health = Health::default();
        tokio::spawn(watch(vec![ours], health.gate("ours")));
        tokio::spawn(watch(vec![ours, theirs], health.gate("theirs")));
        sleep(BETWEEN_LOOKS * 2).await;
        assert_eq!(health.pending(), ["theirs"]);
    }

    #[tokio::test]
    async fn only_the_socket_for_the_address_is_taken() {
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
