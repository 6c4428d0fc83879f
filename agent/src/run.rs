//! The daemon: flags, cluster, AWS, listeners, and the order in which they come up.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use podrole_runtime::{
    admin,
    health::Health,
    serve::{BindError, Limits, Server},
    shutdown,
};
use prometheus_client::registry::Registry;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    agent::{Agent, Parts},
    args::{Args, KeysFrom, PodLiveness},
    clock::Clock,
    cluster::Cluster,
    exchange::web_identity::WebIdentity,
    http::{self, Hosts},
    keys::{KeyRing, KeySource},
    metrics::Metrics,
    node::Liveness,
    resolve::CachedServiceAccounts,
    token::Rules,
};

/// Keys that a cluster withdraws are believed no longer than this.
const KEYS_LIFE: Duration = Duration::from_mins(10);
const RETRY: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps the agent from starting, in one line with the mend.
pub async fn run(args: Args) -> anyhow::Result<()> {
    args.check()?;
    let shutdown = shutdown::on_signal().context("signals")?;
    let (health, metrics) = (Health::default(), Metrics::default());
    let listeners = bind(&args).await?;
    let admin_address = SocketAddr::new(args.metrics_address, args.metrics_port);
    let admin = Server::bind(admin_address, Limits::default()).await;
    let admin = admin.map_err(|fault| one_line(&fault))?;

    let agent = Agent::new(assemble(&args, &listeners, &health, metrics.clone()).await?);
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let admin_router = admin::router(health, Arc::new(registry));
    serve(listeners, admin, &agent, admin_router, shutdown).await;
    Ok(())
}

/// Takes the addresses first: a busy port is said before anything else starts.
async fn bind(args: &Args) -> anyhow::Result<Vec<Server>> {
    let limits = Limits { head_bytes: 24 * 1024, ..Limits::default() };
    let mut listeners = Vec::new();
    for host in &args.bind_hosts {
        match Server::bind(SocketAddr::new(*host, args.port), limits).await {
            Ok(listener) => listeners.push(listener),
            Err(fault) if host.is_ipv6() => {
                tracing::warn!(%fault, "this IPv6 address is not served");
            }
            Err(fault) => return Err(one_line(&fault)),
        }
    }
    anyhow::ensure!(
        !listeners.is_empty(),
        "none of the addresses can be bound; name one of this machine's with --bind-hosts"
    );
    Ok(listeners)
}

/// Its text tells the cause already; a chain would tell it twice.
fn one_line(fault: &BindError) -> anyhow::Error {
    anyhow::Error::msg(fault.to_string())
}

async fn assemble(
    args: &Args,
    listeners: &[Server],
    health: &Health,
    metrics: Metrics,
) -> anyhow::Result<Parts> {
    let clock = Clock::default();
    let cluster = Cluster::connect(args.kubeconfig.as_deref()).await;
    let cluster = cluster.map_err(anyhow::Error::msg)?;
    let issuers = issuers(args, &cluster).await;
    let source = match args.keys_from {
        KeysFrom::ApiServer => KeySource::ApiServer(cluster.clone()),
        KeysFrom::Issuer => KeySource::Issuers(args.issuer.clone()),
    };
    let keys = KeyRing::new(source, clock.clone());
    tokio::spawn(renew(keys.clone(), health.gate("the cluster's keys")));
    let liveness = match (args.pod_liveness, args.node_name.as_deref()) {
        (PodLiveness::On, Some(node)) => {
            let listed = health.gate("the list of this node's pods");
            Liveness::on(cluster.pods(node, listed), node)
        }
        _ => Liveness::off(),
    };
    let accounts = cluster.service_accounts(args.annotation_prefix.clone());
    let accounts = CachedServiceAccounts::new(accounts, clock.clone());
    let addresses: Vec<_> = listeners.iter().map(|one| one.address().ip()).collect();
    Ok(Parts {
        keys,
        rules: Rules { issuers, audiences: args.audiences(), own_audiences: true },
        service_accounts: Arc::new(accounts),
        liveness,
        exchange: Arc::new(WebIdentity::new(args.region()?, args.sts_endpoint_url.as_deref())),
        session_name: args.session_name.clone(),
        max_sessions: args.max_cache_size,
        hosts: Hosts::bound_to(&addresses),
        metrics,
        clock,
    })
}

/// The issuers that are believed. Without one nothing can be verified, so it is waited for.
async fn issuers(args: &Args, cluster: &Cluster) -> Vec<String> {
    if !args.issuer.is_empty() {
        return args.issuer.clone();
    }
    loop {
        match cluster.issuer().await {
            Ok(issuer) => return vec![issuer],
            Err(fault) => {
                tracing::warn!(%fault, "the API server does not name its issuer; give --issuer");
                sleep(RETRY).await;
            }
        }
    }
}

/// Reads the keys again and again, so that a withdrawn one goes.
async fn renew(keys: KeyRing, read: podrole_runtime::health::Gate) {
    loop {
        match keys.refetch().await {
            Ok(()) => {
                read.open();
                sleep(KEYS_LIFE).await;
            }
            Err(fault) => {
                tracing::warn!(%fault, "the keys in hand stay");
                sleep(RETRY).await;
            }
        }
    }
}

async fn serve(
    listeners: Vec<Server>,
    admin: Server,
    agent: &Arc<Agent>,
    admin_router: axum::Router,
    shutdown: CancellationToken,
) {
    let mut running = JoinSet::new();
    for listener in listeners {
        tracing::info!(address = %listener.address(), "serving credentials");
        running.spawn(listener.run(http::router(Arc::clone(agent)), shutdown.clone()));
    }
    tracing::info!(address = %admin.address(), "serving metrics and health");
    running.spawn(admin.run(admin_router, shutdown));
    running.join_all().await;
}
