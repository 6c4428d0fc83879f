//! The client of the API server. It speaks HTTP/2, so that all watches and look-ups share one connection, whose silence
//! is noticed: the Kubernetes library's own client speaks HTTP/1.1, with a connection for each watch, and waits for as
//! long as a watch may take.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{Builder, Client as HyperClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt as _},
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tower::ServiceBuilder;

use super::one_line::one_line;

/// For the TCP connection and the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked for a sign of life, and how long it may take: together, a dead connection is
/// closed after 20 s.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the API server's timeout of a watch, so that only a dead connection is closed. It is what is left for an
/// API server, or a proxy before it, that speaks HTTP/1.1 alone.
const READ_TIMEOUT: Duration = Duration::from_secs(305);

/// Why there is no client of the API server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No usual configuration exists.
    #[error(
        "no cluster is configured; run in a pod with a ServiceAccount, or set --kubeconfig FILE"
    )]
    NotConfigured,
    /// The kubeconfig file cannot be used.
    #[error("--kubeconfig {}: {error}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: KubeconfigError,
    },
    /// The configuration is not one that a client can be built from.
    #[error("could not build the Kubernetes client: {0}")]
    Client(String),
}

/// A client with a kubeconfig file, or if there is none with the usual configuration: in-cluster, `KUBECONFIG`,
/// `~/.kube/config`.
pub(super) async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let config = match kubeconfig {
        Some(path) => read_kubeconfig(path).await?,
        None => Config::infer().await.map_err(|_| ConnectError::NotConfigured)?,
    };
    client(&config).map_err(|error| ConnectError::Client(one_line(&*error)))
}

async fn read_kubeconfig(path: &Path) -> Result<Config, ConnectError> {
    let failed = |error| ConnectError::Kubeconfig { path: path.to_owned(), error };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    config.map_err(failed)
}

fn client(config: &Config) -> Result<Client, Box<dyn std::error::Error>> {
    if config.proxy_url.is_some() {
        return Err("a proxy before the API server is not supported; remove proxy-url from the \
                    kubeconfig, or HTTPS_PROXY"
            .into());
    }
    podrole_runtime::crypto::install();
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
