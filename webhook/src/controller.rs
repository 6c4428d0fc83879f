//! `podrole-webhook controller`: the process that writes certificates and webhook configurations. It
//! listens for probes and Prometheus only, so that no input of pods reaches its rights.

mod args;
mod core_object;
mod event;
mod healing;
mod metrics;
mod object_status;
mod request;
mod startup_taint;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use podrole_certs::{ControllerStatus, Lifetimes, run_controller};
use podrole_identity::AssociationList;
use podrole_runtime::{
    admin, association_list, build,
    health::Health,
    latest::Latest,
    logging, memory, open_files,
    serve::{Limits, Server},
    shutdown,
};
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
use tokio_util::sync::CancellationToken;

pub use args::ControllerArgs;
pub use healing::{Pod as LivePod, is_missed_pod};
pub use metrics::ControllerMetrics;

use crate::cluster;
use healing::Healing;
use object_status::write_statuses;
use startup_taint::remove_startup_taints;

/// Runs the controller until a signal ends it.
///
/// # Errors
/// If a flag or the port cannot be used; the text says how to fix it.
pub(crate) async fn run(args: ControllerArgs) -> anyhow::Result<()> {
    logging::init(&args.logs).map_err(anyhow::Error::msg)?;
    memory::protect_or_warn();
    open_files::raise_limit();
    let signalled = shutdown::on_signal().context("could not listen for signals")?;
    let stop = CancellationToken::new();
    let _stop_all = stop.clone().drop_guard();
    let (health, mut registry) = (Health::default(), Registry::default());
    let metrics = ControllerMetrics::default();
    metrics.register(&mut registry);
    build::register(&mut registry, "controller");
    let address = SocketAddr::new(args.bind_address, args.metrics_port);
    let server = Server::bind(address, Limits::admin()).await?;
    let client =
        cluster::connect(args.kube.kubeconfig.as_deref(), args.kube.kube_api.as_deref()).await?;
    tracing::info!(admin = %server.address(), replica = args.identity(), "running the controller");
    let admin = admin::router(health.clone(), Arc::new(registry));
    let admin = tokio::spawn(server.run(admin, stop.clone()));
    let status = ControllerStatus {
        registered: health.gate("the registration of the webhook"),
        active: metrics.active(),
        leads: Arc::default(),
    };
    if args.startup_taint {
        let (agents, leads) = (args.agents(), Arc::clone(&status.leads));
        let removing = remove_startup_taints(client.clone(), agents, leads, metrics.taints());
        drop(tokio::spawn(removing));
    }
    if args.grant.association_objects {
        let rules = args.grant.rules(args.grant.exchange.unwrap_or_default(), args.grant.region());
        let rules = rules.context("--cluster-name and --cluster-arn")?;
        let (leads, identity) = (Arc::clone(&status.leads), args.identity().to_owned());
        let writing = write_statuses(client.clone(), identity, rules, leads, metrics.statuses());
        drop(tokio::spawn(writing));
    }
    if args.heal {
        let running = (Arc::clone(&status.leads), Arc::clone(&status.active));
        let list = match args.grant.associations.clone() {
            Some(file) => {
                let read = health.gate("the association list");
                association_list::follow(file, Gauge::default(), read, stop.clone()).await
            }
            None => Latest::from(AssociationList::default()),
        };
        let healing = Healing::new(client.clone(), &args, list, running, metrics.healing());
        drop(tokio::spawn(healing.context("--cluster-name and --cluster-arn")?.run()));
    }
    run_controller(client, args.config(), Lifetimes::default(), status, signalled).await;
    stop.cancel();
    admin.await.context("the port for probes and metrics failed")
}
