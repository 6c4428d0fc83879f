//! Fetches the keys of a token's issuer.

use jiff::Timestamp;

use crate::{accounts::Provider, in_cluster::InCluster, sandbox::Sandbox, token::Token};

/// Fetches an issuer's keys, if the one that the token names is not cached.
pub(crate) async fn fetch(sandbox: &Sandbox, issuer: &Provider, token: &Token<'_>, now: Timestamp) {
    let cluster = sandbox.cluster().filter(|cluster| cluster.issuer() == issuer.url);
    let api_server = cluster.map(InCluster::api_server);
    issuer.discovery.refresh(&issuer.url, token.kid(), api_server, now).await;
}
