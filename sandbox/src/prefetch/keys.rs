//! Keys of a token's issuer, fetched from it.

use jiff::Timestamp;

use crate::{accounts::Provider, in_cluster::InCluster, sandbox::Sandbox, token::Token};

/// Sees to it that an issuer's keys are known, the token's among them.
pub(crate) async fn fetch(sandbox: &Sandbox, issuer: &Provider, token: &Token<'_>, now: Timestamp) {
    let cluster = sandbox.cluster().filter(|cluster| cluster.issuer() == issuer.url);
    let api_server = cluster.map(InCluster::api_server);
    issuer.discovery.prepare(&issuer.url, token.kid(), api_server, now).await;
}
