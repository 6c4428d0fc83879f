//! The daemon: starts from the flags the cluster's client, AWS's clients and the listeners, in that
//! order.

mod assemble;
mod listen;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use podrole_runtime::{
    admin,
    health::Health,
    open_files,
    serve::{Limits, Server},
    shutdown,
};
use prometheus_client::registry::Registry;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    agent::Agent,
    args::Args,
    clock::Clock,
    health_socket, http,
    metrics::{Metrics, MissedPodsGauge, SessionExpiry},
};
use listen::{Listening, Origin};

/// How long a successor waits to be ready before it accepts requests: its predecessor may be gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// If the agent cannot start.
pub async fn run(args: Args) -> anyhow::Result<()> {
    args.check()?;
    open_files::raise_limit();
    let shutdown = shutdown::on_signal().context("signals")?;
    let (health, metrics) = (Health::default(), Metrics::default());
    if let Some(path) = &args.health_socket {
        health_socket::serve(path, health.clone())?;
    }
    // Closed until all other gates exist.
    let handover = health.gate("the node's listening sockets");
    let Some(listening) = listen::bind(&args, &shutdown).await? else {
        return Ok(());
    };
    let addresses = listening.addresses();
    let hosts = addresses.iter().map(SocketAddr::ip).collect();
    tokio::spawn(listen::watch(hosts, health.gate("the addresses that SDKs use")));
    let admin_address = SocketAddr::new(args.metrics_address, args.metrics_port);
    let alone = listening.origin == Origin::New;
    let admin = admin(admin_address, alone).await?;

    let (agent, holder) =
        assemble::agent(&args, addresses, &health, metrics.clone(), &shutdown).await?;
    metrics.set_restarts(listening.restarts);
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    registry.register_collector(Box::new(SessionExpiry::of(
        &agent,
        Clock::default(),
        args.metrics_identities,
    )));
    let missed = MissedPodsGauge::of(agent.missed_pods(), args.metrics_identities);
    registry.register_collector(Box::new(missed));
    let admin_router = admin::router(health.clone(), Arc::new(registry));
    handover.open();
    let mut running = JoinSet::new();
    running.spawn(serve_admin(admin, admin_address, admin_router, shutdown.clone()));
    if listening.origin == Origin::Predecessor {
        ready(&health, &shutdown).await;
    }
    listening.offer(&args, holder, &health)?;
    serve(listening, &agent, &shutdown, &mut running);
    running.join_all().await;
    Ok(())
}

/// Binds the admin port, or returns `None` while a predecessor still holds it: the agent may not be `alone` on the node.
async fn admin(address: SocketAddr, alone: bool) -> anyhow::Result<Option<Server>> {
    match Server::bind(address, Limits::admin()).await {
        Ok(server) => Ok(Some(server)),
        Err(error) if !alone && error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(anyhow::Error::msg(error.to_string())),
    }
}

async fn serve_admin(
    mut server: Option<Server>,
    address: SocketAddr,
    router: axum::Router,
    shutdown: CancellationToken,
) {
    let mut seconds = 0;
    while server.is_none() && !shutdown.is_cancelled() {
        sleep(Duration::from_secs(1)).await;
        seconds += 1;
        match Server::bind(address, Limits::admin()).await {
            Ok(bound) => server = Some(bound),
            // A predecessor needs half a minute to end.
            Err(error) if seconds % 60 == 0 => {
                tracing::warn!(%error, "could not serve metrics and health; retrying");
            }
            Err(_) => {}
        }
    }
    if let Some(server) = server {
        tracing::info!(address = %server.address(), "serving metrics and health");
        server.run(router, shutdown).await;
    }
}

async fn ready(health: &Health, shutdown: &CancellationToken) {
    let mut waited = Duration::ZERO;
    while !health.pending().is_empty() && waited < PATIENCE && !shutdown.is_cancelled() {
        sleep(Duration::from_millis(50)).await;
        waited += Duration::from_millis(50);
    }
}

fn serve(
    listening: Listening,
    agent: &Arc<Agent>,
    shutdown: &CancellationToken,
    running: &mut JoinSet<()>,
) {
    for server in listening.servers {
        tracing::info!(address = %server.address(), "serving credentials");
        running.spawn(server.run(http::CredentialsService::of(agent), shutdown.clone()));
    }
}
