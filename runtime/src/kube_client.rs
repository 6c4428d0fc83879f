//! The client of the API server. It speaks HTTP/2, so that all watches and look-ups share one connection, whose silence
//! is noticed: the Kubernetes library's own client speaks HTTP/1.1, with a connection for each watch and for each look-up
//! in flight, and waits for as long as a watch may take.

use std::time::Duration;

use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{Builder, Client as HyperClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt as _},
};
use tower::ServiceBuilder;

/// For the TCP connection and the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked for a sign of life, and how long it may take: together, a dead connection is
/// closed after 20 s.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the API server's timeout of a watch, so that only a dead connection is closed. It is what is left for an
/// API server, or a proxy before it, that speaks HTTP/1.1 alone.
const READ_TIMEOUT: Duration = Duration::from_secs(305);

/// A client with this configuration. Nothing is sent yet.
///
/// # Errors
/// If the configuration's certificates or URLs cannot be used.
pub fn client(config: &Config) -> Result<Client, Box<dyn std::error::Error>> {
    if config.proxy_url.is_some() {
        return Err("a proxy before the API server is not supported; remove proxy-url from the \
                    kubeconfig, or HTTPS_PROXY"
            .into());
    }
    crate::crypto::install();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // Requests share a connection: a small one must not wait for another's acknowledgement.
    tcp.set_nodelay(true);
    let tls = HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?);
    let mut tls = tls.https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into()?;
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let mut connector = TimeoutConnector::new(tls.enable_all_versions().wrap_connector(tcp));
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_read_timeout(Some(READ_TIMEOUT));
    let http: HyperClient<_, Body> = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_keep_alive_while_idle(true)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}
