//! The process: flags, logs, certificate, watches, two ports and the shutdown.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    http::{HeaderValue, header::CONNECTION},
    middleware::map_response,
    response::Response,
};
use podrole_certs::PathSegment;
use podrole_identity::{AnnotationRules, Kind};
use podrole_runtime::{
    admin, association_list, build,
    health::{Gate, Health},
    logging, memory, objects, open_files,
    serve::{Limits, Server},
    shutdown,
};
use prometheus_client::registry::Registry;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    Args, CertificateSource, Metrics, Webhook,
    callers::{Callers, for_callers},
    cluster,
    metrics::Source,
    registered_timeout,
    registration_monitor::monitor,
    router,
    sources::ConfiguredSources,
    tls,
};

/// Runs the webhook until a signal ends it.
///
/// # Errors
/// If a flag, a file, a port or the cluster's configuration cannot be used; the text says how to
/// fix it.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logging::init(&args.logs).map_err(anyhow::Error::msg)?;
    memory::protect_or_warn();
    open_files::raise_limit();
    let args = args.completed().await?;
    let signalled = shutdown::on_signal().context("could not listen for signals")?;
    let stop = CancellationToken::new();
    let _stop_all = stop.clone().drop_guard();
    let (metrics, mut registry) = (Metrics::default(), Registry::default());
    metrics.register(&mut registry);

    let health = Health::default();
    let listed = cluster::Listed {
        service_accounts: health.gate("the first list of ServiceAccounts"),
        namespaces: health.gate("the first list of Namespaces"),
        associations: args
            .grant
            .association_objects
            .then(|| health.gate("the first list of PodIdentityAssociations")),
    };
    let certified = health.gate("the serving certificate");
    let settled = health.gate("the end of the shutdown");
    settled.open();

    let admin_port = bind(&args, args.metrics_port, Limits::admin()).await?;
    let reviews_port = bind(&args, args.port, limits()).await?;
    let client =
        cluster::connect(args.kube.kubeconfig.as_deref(), args.kube.kube_api.as_deref()).await?;
    let expires = tls::register(&mut registry);
    build::register(&mut registry, "webhook");
    let settings = args.settings()?;
    if settings.region.is_none() {
        tracing::info!(
            "no --aws-default-region; containers get a region only from their own variables or \
             their ServiceAccount's podrole.io/region"
        );
    }
    let reading = settings.annotations.clone();
    let sources = sources(&args, &client, &reading, &health, &metrics, &stop).await;
    let patterns = sources.patterns.clone();
    let service_accounts =
        cluster::watch(client.clone(), reading, metrics.clone(), listed, patterns, stop.clone());
    let (own, monitor_metrics) = (args.certificates.webhook_configuration.clone(), metrics.clone());
    let webhook = Arc::new(Webhook::new(service_accounts, settings, metrics).with_sources(sources));

    let timeout = webhook.registered_timeout().clone();
    tracing::info!(reviews = %reviews_port.address(), admin = %admin_port.address(), "listening");
    let segment = PathSegment::default();
    let routes = closing_when(router(webhook), signalled.clone());
    let routes = for_callers(routes, callers(&args, &segment));
    let delay = Duration::from_secs(args.shutdown_delay);
    tokio::spawn(shut_down(signalled, settled, delay, stop.clone()));
    let admin = admin::router(health, Arc::new(registry));
    let (serving, served) = watch::channel(None);
    // The controller maintains the caBundle of podrole's own CA, and then there is nothing to check.
    let from_files = args.certificates.certificates == CertificateSource::Files;
    let served = from_files.then_some(served);
    let reviews = async {
        // The admin port is open meanwhile, because the first certificate may take a while.
        let tls = tls::serve(&args, &client, segment, certified, expires, &stop).await;
        if let Ok(Some(tls)) = &tls {
            serving.send_replace(Some(Arc::clone(tls)));
            reviews_port.with_tls(Arc::clone(tls)).run(routes, stop.clone()).await;
        }
        stop.cancel();
        tls.map(drop)
    };
    let monitoring = async {
        let result = tokio::select! {
            conflict = monitor(&client, &own, &monitor_metrics, &timeout, served) => Err(conflict),
            () = stop.cancelled() => Ok(()),
        };
        stop.cancel();
        result
    };
    let admin = Box::pin(admin_port.run(admin, stop.clone()));
    let (served, monitored, ()) = tokio::join!(reviews, monitoring, admin);
    served.and(monitored)
}

/// Which callers are answered. `segment` is known once the controller's Secret is.
fn callers(args: &Args, segment: &PathSegment) -> Callers {
    let flags = &args.certificates;
    if flags.certificates == CertificateSource::Own {
        return Callers::Known(segment.clone());
    }
    match (&flags.path_segment, &flags.client_ca) {
        (Some(segment), _) => Callers::Known(PathSegment::known(segment)),
        (None, Some(_)) => Callers::Known(PathSegment::default()),
        (None, None) => {
            tracing::warn!(
                "any caller that reaches the port for reviews is answered with roles and names of \
                 Secrets; set --path-segment or --client-ca"
            );
            Callers::All
        }
    }
}

/// Follows the sources that the flags ask for. Each has a gate of its own.
async fn sources(
    args: &Args,
    client: &cluster::Client,
    reading: &AnnotationRules,
    health: &Health,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> ConfiguredSources {
    let associations = match args.associations() {
        Some(path) => {
            let (path, errors) = (path.to_owned(), metrics.source_errors_gauge(Source::ListFile));
            let read = health.gate("the association list");
            Some(association_list::follow(path, errors, read, stop.clone()).await)
        }
        None => None,
    };
    let config_map = args.watch_config_map.then(|| {
        let listed = health.gate("the ConfigMap of roles");
        let (client, reading, metrics) = (client.clone(), reading.clone(), metrics.clone());
        let namespace = args.config_map_namespace.as_ref().unwrap_or(&args.namespace);
        cluster::watch_config_map(client, namespace, reading, metrics, listed, stop.clone())
    });
    let following = |kind, source| objects::Following {
        client: client.clone(),
        kind,
        errors: metrics.source_errors_gauge(source),
        first_list: health.gate(match kind {
            Kind::Guardrail => "the first list of PodIdentityGuardrails",
            _ => "the first list of PodIdentityPatterns",
        }),
    };
    let with_objects = args.grant.association_objects;
    let patterns = with_objects
        .then(|| objects::patterns(following(Kind::Pattern, Source::Patterns), stop.clone()));
    let guardrails = with_objects
        .then(|| objects::guardrails(following(Kind::Guardrail, Source::Guardrails), stop.clone()));
    ConfiguredSources { associations, config_map, patterns, guardrails }
}

async fn bind(args: &Args, port: u16, limits: Limits) -> anyhow::Result<Server> {
    let address = SocketAddr::new(args.bind_address, port);
    Ok(Server::bind(address, limits).await?)
}

/// The limits of the port for reviews.
fn limits() -> Limits {
    Limits {
        // An API server needs a few: it sends its reviews over HTTP/2. Half of them are for others
        // if a proxy or NAT hides pods behind its address.
        connections_per_peer: 512,
        reserved_connections: 128,
        head: registered_timeout::DEFAULT,
        // Ten reviews of the greatest length. A third of the memory that the chart allows.
        request_bytes: 64 * 1024 * 1024,
        ..Limits::default()
    }
}

/// Turns unready at once after the signal, but accepts reviews for `delay`: API servers learn late
/// that an endpoint is gone, and do not retry a review whose connection was refused.
async fn shut_down(
    signalled: CancellationToken,
    gate: Gate,
    delay: Duration,
    stop: CancellationToken,
) {
    signalled.cancelled().await;
    gate.close();
    sleep(delay).await;
    stop.cancel();
}

/// After the signal, each answer closes its connection, so that the API server's next review opens
/// one to another replica.
fn closing_when(routes: Router, signalled: CancellationToken) -> Router {
    routes.layer(map_response(move |mut response: Response| {
        let closing = signalled.is_cancelled();
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
    async fn after_the_signal_each_answer_closes_its_connection() {
        let signalled = CancellationToken::new();
        let routes = Router::new().route("/", get(|| async { "hello" }));
        let routes = closing_when(routes, signalled.clone());
        let closes = async || {
            let answer = routes.clone().oneshot(Request::new(Body::empty())).await;
            answer.unwrap().headers().contains_key(CONNECTION)
        };
        assert!(!closes().await);
        signalled.cancel();
        assert!(closes().await);
    }
}
