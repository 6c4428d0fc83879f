//! The demo's agent: the real one, with the ServiceAccounts of the files instead of a cluster's.

use std::{net::SocketAddr, sync::Arc};

use podrole_agent::{
    Agent, AgentConfig, AgentOptions,
    clock::Clock,
    exchange::web_identity::WebIdentity,
    hosts::Hosts,
    http,
    keys::{JwksCache, KeySource},
    metrics::Metrics,
    node::Liveness,
    token::Rules,
};
use podrole_identity::{Exchange, Partition};
use podrole_sandbox::Issuer;

use super::{Failure, service_accounts::DemoServiceAccounts};

/// The routes of an agent that listens on `here`, discovers the issuer's keys and exchanges tokens
/// at `sts`, as in `region`.
pub(crate) async fn router(
    issuer: &Issuer,
    sts: SocketAddr,
    here: SocketAddr,
    region: &str,
    service_accounts: &DemoServiceAccounts,
) -> Result<axum::Router, Failure> {
    let clock = Clock::default();
    let issuers = vec![issuer.url().to_owned()];
    let keys = JwksCache::new(KeySource::Issuers(issuers.clone()), clock.clone());
    keys.refetch()
        .await
        .map_err(|error| Failure::bug("fetching the issuer's keys for the agent", &error))?;
    let rules =
        Rules { issuers, audiences: vec![Exchange::WebIdentity.audience()], own_audiences: true };
    let mut options = AgentOptions::standalone(Exchange::WebIdentity, &rules);
    options.sessions.rules.partition = Some(Partition::of_region(region));
    let endpoint = format!("http://{sts}");
    Ok(http::router(Agent::new(AgentConfig {
        keys,
        rules,
        service_accounts: Arc::new(service_accounts.for_agent()),
        // The demo's pods exist in no cluster, so their liveness cannot be checked.
        liveness: Liveness::off(),
        exchange: Arc::new(WebIdentity::new(region, Some(&endpoint))),
        hosts: Hosts::bound_to(&[here.ip()]),
        metrics: Metrics::default(),
        clock,
        options,
    })))
}
