//! Starts the servers of the stage.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use podrole_certs::{Authority, Serving};
use podrole_identity::{
    CREDENTIALS_PATH, CredentialProvider, EndpointPattern, GrantRules, Partition,
    PermittedEndpoints, TokenVolume,
};
use podrole_runtime::{
    clock::now,
    serve::{Limits, Server},
};
use podrole_webhook::Settings;
use tokio_util::sync::CancellationToken;

use super::WEBHOOK_NAME;
use crate::demo::Failure;

const DAY: Duration = Duration::from_secs(86_400);

/// Binds a free port of 127.0.0.1. `what` names the server in an error.
pub(super) async fn bind(what: &str) -> Result<Server, Failure> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = Server::bind(loopback, Limits::default()).await;
    bound.map_err(|error| {
        let step = format!("starting {what}");
        Failure::new(step, error, "make a port of 127.0.0.1 available")
    })
}

/// Serves the webhook with a certificate of a new CA, and returns the CA.
pub(super) fn serve_tls(
    server: Server,
    router: axum::Router,
    shutdown: CancellationToken,
) -> Result<Authority, Failure> {
    let failed = |error: &dyn fmt::Display| Failure::bug("the webhook's certificate", error);
    let authority = Authority::mint("podrole demo CA", now(), DAY).map_err(|f| failed(&f))?;
    let pair = authority.issue(&[WEBHOOK_NAME], now(), DAY).map_err(|f| failed(&f))?;
    let serving = Serving::new(&pair).map_err(|f| failed(&f))?;
    let config = serving.server_config().map_err(|f| failed(&f))?;
    tokio::spawn(server.with_tls(config).run(router, shutdown));
    Ok(authority)
}

/// The webhook's settings: the defaults of EKS, except that AWS is the sandbox and that tokens are
/// written below the demo's folder, because this machine's /var/run needs root.
pub(super) fn settings(
    folder: &Path,
    region: &str,
    sandbox: SocketAddr,
    agent: SocketAddr,
) -> Settings {
    let below = |volume: TokenVolume| TokenVolume {
        mount_path: format!("{}{}", folder.display(), volume.mount_path),
        ..volume
    };
    // The demo's own sandbox is what an annotation may name, on this machine only.
    let own = format!("http://{sandbox}/*").parse::<EndpointPattern>();
    let permitted_endpoints = own.and_then(|own| PermittedEndpoints::new(&[own], "")).ok();
    Settings {
        permitted_endpoints: permitted_endpoints.unwrap_or_default(),
        rules: GrantRules {
            partition: Some(Partition::of_region(region)),
            ..GrantRules::default()
        },
        region: Some(region.to_owned()),
        sts_regional_endpoints: true,
        endpoint_url: Some(format!("http://{sandbox}")),
        web_identity_volume: below(CredentialProvider::WebIdentity.token_volume()),
        container_volume: below(CredentialProvider::Container.token_volume()),
        container_full_uri: format!("http://{agent}{CREDENTIALS_PATH}"),
        ..Settings::default()
    }
}
