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
    admin, build,
    health::{Gate, Health},
    logging,
    serve::{Limits, Server},
    shutdown,
};
use prometheus_client::registry::Registry;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    Args, CertificateSource, Metrics, Webhook, association_file, cluster,
    registration_monitor::look_out, router, sources::Sources, tls,
};

/// Runs the webhook until a signal ends it.
///
/// # Errors
/// When a flag, a file, a port or the cluster's configuration cannot be used; the text names the
/// mend.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logging::init(&args.logs).map_err(anyhow::Error::msg)?;
    let args = args.completed().await?;
    let asked_to_stop = shutdown::on_signal().context("cannot listen for signals")?;
    let stop = CancellationToken::new();
    let _stop_all = stop.clone().drop_guard();
    let (metrics, mut registry) = (Metrics::default(), Registry::default());
    metrics.register(&mut registry);

    let health = Health::default();
    let listed = cluster::Listed {
        accounts: health.gate("the first list of ServiceAccounts"),
        namespaces: health.gate("the first list of Namespaces"),
    };
    let certified = health.gate("the serving certificate");
    let settled = health.gate("the end of the shutdown");
    settled.open();

    let admin_port = bind(&args, args.metrics_port).await?;
    let reviews_port = bind(&args, args.port).await?;
    let client = cluster::connect(args.kubeconfig.as_deref(), args.kube_api.as_deref()).await?;
    let expires = tls::register(&mut registry);
    build::register(&mut registry, "webhook", env!("CARGO_PKG_VERSION"));
    let settings = args.settings();
    if settings.region.is_none() {
        tracing::info!(
            "no --aws-default-region: where neither a container nor its ServiceAccount's \
             podrole.io/region names one, SDKs must know it themselves"
        );
    }
    let sources = sources(&args, &client, &health, &metrics, &stop);
    let reading = settings.reading();
    let accounts = cluster::watch(client.clone(), reading, metrics.clone(), listed, stop.clone());
    let (own, counted) = (args.certificates.webhook_configuration.clone(), metrics.clone());
    let webhook = Arc::new(Webhook::new(accounts, settings, metrics).with_sources(sources));

    tracing::info!(reviews = %reviews_port.address(), admin = %admin_port.address(), "listening");
    let routes = closing_when(router(webhook), asked_to_stop.clone());
    let delay = Duration::from_secs(args.shutdown_delay);
    tokio::spawn(end(asked_to_stop, settled, delay, stop.clone()));
    let admin = admin::router(health, Arc::new(registry));
    let (serving, served) = watch::channel(None);
    let by_files = args.certificates.certificates == CertificateSource::Files;
    let served = by_files.then_some(served);
    let reviews = async {
        // The admin port is open before: a first certificate may be waited for.
        let tls = tls::serve(&args, &client, certified, expires, &stop).await;
        if let Ok(Some(tls)) = &tls {
            serving.send_replace(Some(Arc::clone(tls)));
            reviews_port.with_tls(Arc::clone(tls)).run(routes, stop.clone()).await;
        }
        stop.cancel();
        tls.map(drop)
    };
    let looking = async {
        let found = tokio::select! {
            rival = look_out(&client, &own, &counted, served) => Err(rival),
            () = stop.cancelled() => Ok(()),
        };
        stop.cancel();
        found
    };
    let (served, found, ()) = tokio::join!(reviews, looking, admin_port.run(admin, stop.clone()));
    served.and(found)
}

/// The sources that the flags ask for; each has a gate of its own.
fn sources(
    args: &Args,
    client: &cluster::Client,
    health: &Health,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> Sources {
    let file = args.watch_container_credentials_config.clone();
    let file = file.filter(|path| !path.as_os_str().is_empty());
    let associations = file.map(|path| {
        let listed = health.gate("a good association list");
        association_file::follow(path, metrics.clone(), listed, stop.clone())
    });
    let config_map = args.watch_config_map.then(|| {
        let listed = health.gate("the ConfigMap of roles");
        let (client, reading) = (client.clone(), args.settings().reading());
        let metrics = metrics.clone();
        cluster::watch_config_map(client, &args.namespace, reading, metrics, listed, stop.clone())
    });
    Sources { associations, config_map }
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

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request, routing::get};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn from_the_signal_on_each_answer_asks_for_a_new_connection() {
        let asked = CancellationToken::new();
        let routes = Router::new().route("/", get(|| async { "hello" }));
        let routes = closing_when(routes, asked.clone());
        let closes = async || {
            let answer = routes.clone().oneshot(Request::new(Body::empty())).await;
            answer.unwrap().headers().contains_key(CONNECTION)
        };
        assert!(!closes().await);
        asked.cancel();
        assert!(closes().await);
    }
}
