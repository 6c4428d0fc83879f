//! The listening sockets: inherited from a predecessor, or bound.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    time::Duration,
};

use podrole_node::parent::Parent;
use podrole_runtime::{
    health::{Gate, Health},
    listen::BindError,
    local_address::is_local,
    serve::{Limits, Server},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    args::Args,
    handover::{self, Agreement, Holder, Inheritance},
    http::limits,
};

/// How often the addresses are checked.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How often an agent that keeps its sockets is asked again.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(2);
/// How often the same reason is logged.
const BETWEEN_ERRORS: Duration = Duration::from_secs(60);
/// How long a busy address is tried again, if the process that has it may be an agent that its parent is replacing.
const BUSY: Duration = Duration::from_secs(60);

/// The listening servers.
pub(super) struct Listening {
    pub(super) servers: Vec<Server>,
    pub(super) origin: Origin,
    /// How often the parent process has started an agent again.
    pub(super) restarts: u64,
}

/// Where the sockets are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// No other agent had bound the addresses.
    New,
    /// From an agent that was ready and ended, by the parent process. A predecessor of that one may still run.
    Kept,
    /// From an agent that may accept connections from the same sockets now.
    Predecessor,
}

/// Inherits or binds the addresses. This comes first, so that a busy port is reported before
/// anything else starts. Returns `None` if `shutdown` comes before the running agent hands them over.
pub(super) async fn bind(
    args: &Args,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<Listening>> {
    let limits = limits(args.connections_per_peer);
    let parent = args.supervised.then(Parent::on_stdin).transpose()?;
    let kept = parent.as_ref().map(Parent::take).transpose()?;
    let restarts = kept.as_ref().map_or(0, |kept| kept.restarts);
    if let Some(kept) = kept
        && !kept.sockets.is_empty()
    {
        let origin = if kept.shared { Origin::Predecessor } else { Origin::Kept };
        let servers = serve_on(args, kept.sockets, origin, parent.as_ref(), limits).await?;
        return Ok(Some(Listening { restarts, ..servers }));
    }
    let (begun, mut logged) = (Instant::now(), false);
    loop {
        let theirs = tokio::select! {
            theirs = predecessors(args) => theirs,
            () = shutdown.cancelled() => return Ok(None),
        };
        let listening = serve_on(args, theirs, Origin::Predecessor, parent.as_ref(), limits).await;
        match listening {
            Err(error) if is_busy(&error) && args.handover.is_some() && begun.elapsed() < BUSY => {
                if !logged {
                    let error = error.to_string();
                    tracing::error!(
                        error,
                        "could not bind an address; trying for a minute, because its process may be an agent that hands it over"
                    );
                }
                logged = true;
                tokio::select! {
                    () = sleep(BETWEEN_REQUESTS) => {}
                    () = shutdown.cancelled() => return Ok(None),
                }
            }
            listening => return Ok(Some(Listening { restarts, ..listening? })),
        }
    }
}

fn is_busy(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<BindError>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Serves on these sockets, which are from `origin`, and on new ones for the other addresses.
async fn serve_on(
    args: &Args,
    mut theirs: Vec<TcpListener>,
    origin: Origin,
    parent: Option<&Parent>,
    limits: Limits,
) -> anyhow::Result<Listening> {
    let (mut servers, mut missing) = (Vec::new(), Vec::new());
    for host in &args.bind_hosts {
        let address = SocketAddr::new(*host, args.port);
        match take(&mut theirs, address, limits) {
            Some(server) => servers.push(server),
            None => missing.push(address),
        }
    }
    let origin = if servers.is_empty() { Origin::New } else { origin };
    if let (Origin::Predecessor, Some(parent)) = (origin, parent) {
        let copies: Result<Vec<_>, _> = servers.iter().map(Server::share).collect();
        parent.keep(&copies?)?;
    }
    servers.extend(bind_new(parent, &missing, limits).await?);
    anyhow::ensure!(
        !servers.is_empty(),
        "could not bind any address; set --bind-hosts to an address of this machine"
    );
    Ok(Listening { servers, origin, restarts: 0 })
}

/// Binds addresses that have no socket yet, or has the parent process do it, which has the right to use their port.
async fn bind_new(
    parent: Option<&Parent>,
    addresses: &[SocketAddr],
    limits: Limits,
) -> anyhow::Result<Vec<Server>> {
    let (mut servers, mut failed) = (Vec::new(), Vec::new());
    if let Some(parent) = parent {
        let bound = parent.bind(addresses)?;
        for socket in bound.sockets {
            servers.push(Server::take_over(socket, limits)?);
        }
        failed = bound.failed;
    } else {
        for &address in addresses {
            match Server::bind(address, limits).await {
                Ok(server) => servers.push(server),
                Err(error) => failed.push((address, error)),
            }
        }
    }
    for (address, error) in failed {
        if address.is_ipv4() {
            return Err(error.into());
        }
        tracing::warn!(%error, "could not bind an IPv6 address; serving the others");
    }
    Ok(servers)
}

/// The sockets of the running agent; empty if there is none. An agent that keeps them is asked again until it has ended.
async fn predecessors(args: &Args) -> Vec<TcpListener> {
    let Some((path, token)) = args.handover.clone().zip(args.handover_token.clone()) else {
        return Vec::new();
    };
    let agreement = Agreement::of(args);
    let mut logged: Option<(String, Instant)> = None;
    loop {
        let (path, token, agreement) = (path.clone(), token.clone(), agreement.clone());
        // On a blocking thread, because the predecessor may be slow.
        let asked = spawn_blocking(move || handover::inherit(&path, &token, &agreement)).await;
        let error = match asked.unwrap_or(Inheritance::None) {
            Inheritance::None => return Vec::new(),
            Inheritance::Sockets(sockets) => return sockets,
            Inheritance::Refused(error) => error,
        };
        let is_known =
            |(before, at): &(String, Instant)| *before == error && at.elapsed() < BETWEEN_ERRORS;
        if !logged.as_ref().is_some_and(is_known) {
            tracing::error!(
                error,
                "could not take over the node's listening sockets; asking again"
            );
            logged = Some((error, Instant::now()));
        }
        sleep(BETWEEN_REQUESTS).await;
    }
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
    /// The addresses that are served, with their ports.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(Server::address).collect()
    }

    /// Offers the sockets to the successors that `holder` accepts. If a predecessor does so already, that goes on until
    /// this agent is ready: only the one that serves the pods may have the path.
    pub(super) fn offer(
        &self,
        args: &Args,
        holder: Option<Holder>,
        health: &Health,
    ) -> anyhow::Result<()> {
        let Some((path, holder)) = args.handover.clone().zip(holder) else {
            return Ok(());
        };
        let shared: Result<Vec<_>, _> = self.servers.iter().map(Server::share).collect();
        let shared = shared?;
        if self.origin != Origin::Predecessor || health.pending().is_empty() {
            return Ok(handover::offer(&path, holder, shared)?);
        }
        let health = health.clone();
        tokio::spawn(async move {
            while !health.pending().is_empty() {
                sleep(BETWEEN_LOOKS).await;
            }
            if let Err(error) = handover::offer(&path, holder, shared) {
                tracing::error!(%error, "could not offer the sockets to a successor, which will wait for this agent's end");
            }
        });
        Ok(())
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
    use clap::Parser as _;

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
    async fn an_agent_that_is_refused_asks_again_until_the_other_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let (path, token) = (dir.path().join("handover"), dir.path().join("token"));
        let args = |bind: &str| {
            let flags = [
                format!("--handover={}", path.display()),
                format!("--handover-token={}", token.display()),
                format!("--bind-hosts={bind}"),
            ];
            let all = ["podrole-agent", "--port=0"].into_iter().map(str::to_owned);
            Args::try_parse_from(all.chain(flags)).unwrap()
        };
        // It has no token, which nothing can cure but the end of the other.
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let shutdown = CancellationToken::new();
        let asked = tokio::spawn({
            let (args, shutdown) = (args("127.0.0.1"), shutdown.clone());
            async move { bind(&args, &shutdown).await.unwrap() }
        });
        sleep(BETWEEN_REQUESTS * 2).await;
        assert!(!asked.is_finished());
        drop(other);
        let listening = asked.await.unwrap().unwrap();
        assert_eq!((listening.origin, listening.servers.len()), (Origin::New, 1));

        let _other = {
            std::fs::remove_file(&path).unwrap();
            std::os::unix::net::UnixListener::bind(&path).unwrap()
        };
        let stopped = tokio::spawn({
            let (args, shutdown) = (args("127.0.0.1"), shutdown.clone());
            async move { bind(&args, &shutdown).await.unwrap().is_none() }
        });
        sleep(Duration::from_millis(200)).await;
        shutdown.cancel();
        assert!(stopped.await.unwrap(), "SIGTERM ends it");
    }

    /// The process that has it may be the parent of an agent that hung, and offers nothing until the next one runs.
    #[tokio::test]
    async fn a_busy_address_is_tried_again_if_an_agent_may_have_it() {
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = busy.local_addr().unwrap();
        let flags = ["podrole-agent", "--bind-hosts=127.0.0.1"].map(str::to_owned);
        let port = format!("--port={}", address.port());
        let alone = Args::try_parse_from(flags.iter().chain([&port])).unwrap();
        let shutdown = CancellationToken::new();
        let error = bind(&alone, &shutdown).await.err().unwrap().to_string();
        assert!(error.contains("stop the process that uses this one"), "{error}");

        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let handover =
            [format!("--handover={}", file("h")), format!("--handover-token={}", file("t"))];
        let args = Args::try_parse_from(flags.iter().chain([&port]).chain(&handover)).unwrap();
        let bound = tokio::spawn(async move { bind(&args, &shutdown).await.unwrap().unwrap() });
        sleep(Duration::from_millis(500)).await;
        assert!(!bound.is_finished());
        drop(busy);
        assert_eq!(bound.await.unwrap().addresses(), [address]);
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
