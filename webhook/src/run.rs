//! The process: flags, logs, certificate, watch, two ports, and an orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    http::{HeaderValue, header::CONNECTION},
    middleware::map_response,
    response::Response,
};
use podrole_runtime::{
    admin,
    health::{Gate, Health},
    logging,
    serve::{Limits, Server},
    shutdown,
};
use prometheus_client::registry::Registry;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{Args, Metrics, Webhook, cluster, router};

/// Runs the webhook until a signal ends it.
///
/// # Errors
/// When a flag, a file, a port or the cluster's configuration cannot be used; the text names the
/// mend.
pub async fn run(args: Args) -> anyhow::Result<()> {
    logging::init(&args.logs).map_err(anyhow::Error::msg)?;
    let asked_to_stop = shutdown::on_signal().context("cannot listen for signals")?;
    let stop = CancellationToken::new();
    let _stop_all = stop.clone().drop_guard();
    let (metrics, mut registry) = (Metrics::default(), Registry::default());
    metrics.register(&mut registry);

    let health = Health::default();
    let listed = health.gate("the first list of ServiceAccounts");
    let certified = health.gate("the serving certificate");
    let settled = health.gate("the end of the shutdown");
    settled.open();

    let admin_port = bind(&args, args.metrics_port).await?;
    let reviews_port = bind(&args, args.port).await?;
    let tls = podrole_certs::watch_files(&args.tls_cert, &args.tls_key, stop.clone()).await?;
    certified.open();

    let settings = args.settings();
    let client = cluster::connect(args.kubeconfig.as_deref(), args.kube_api.as_deref()).await?;
    let prefix = settings.annotation_prefix.clone();
    let accounts = cluster::watch(client, prefix, metrics.clone(), listed, stop.clone());
    let webhook = Arc::new(Webhook::new(accounts, settings, metrics));

    tracing::info!(reviews = %reviews_port.address(), admin = %admin_port.address(), "listening");
    let routes = closing_when(router(webhook), asked_to_stop.clone());
    let delay = Duration::from_secs(args.shutdown_delay);
    tokio::spawn(end(asked_to_stop, settled, delay, stop.clone()));
    let admin = admin::router(health, Arc::new(registry));
    tokio::join!(reviews_port.with_tls(tls).run(routes, stop.clone()), admin_port.run(admin, stop),);
    Ok(())
}

async fn bind(args: &Args, port: u16) -> anyhow::Result<Server> {
    let address = SocketAddr::new(args.bind_address, port);
    Ok(Server::bind(address, Limits::default()).await?)
}

/// After the signal: unready at once, and reviews are taken a while longer, because API servers
/// learn of an endpoint's end late and do not repeat what was refused.
async fn end(asked: CancellationToken, gate: Gate, delay: Duration, stop: CancellationToken) {
    asked.cancelled().await;
    gate.close();
    sleep(delay).await;
    stop.cancel();
}

/// From the signal on each answer asks for a new connection, which finds another replica.
fn closing_when(routes: Router, asked: CancellationToken) -> Router {
    routes.layer(map_response(move |mut response: Response| {
        let closing = asked.is_cancelled();
        async move {
            if closing {
                let headers = response.headers_mut();
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }))
}
