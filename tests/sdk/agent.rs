//! The agent, assembled without a cluster: ServiceAccounts by hand, and the token alone says that
//! a pod lives.

use std::{net::SocketAddr, sync::Arc};

use podrole_agent::{
    Agent, AgentConfig, AgentOptions,
    clock::Clock,
    exchange::web_identity::WebIdentity,
    hosts::Hosts,
    http::router,
    keys::{JwksCache, KeySource},
    metrics::Metrics,
    node::Liveness,
    resolve::{ServiceAccountFacts, ServiceAccountMap},
    token::Rules,
};
use podrole_identity::{AnnotationPrefix, Exchange, ServiceAccountAnnotations, ServiceAccountRef};

use crate::stage::{REGION, uid};

/// The routes of an agent on `here` that reads `issuer`'s keys by discovery and trades tokens at
/// `sts`. Each ServiceAccount names a role.
pub(crate) async fn routes(
    issuer: &str,
    sts: SocketAddr,
    here: SocketAddr,
    accounts: &[(&str, String)],
) -> anyhow::Result<axum::Router> {
    let clock = Clock::default();
    let issuers = vec![issuer.to_owned()];
    let keys = JwksCache::new(KeySource::Issuers(issuers.clone()), clock.clone());
    keys.refetch().await?;
    let audiences = vec![Exchange::WebIdentity.audience()];
    let rules = Rules { issuers, audiences, own_audiences: true };
    let options = AgentOptions::standalone(Exchange::WebIdentity, &rules);
    Ok(router(Agent::new(AgentConfig {
        keys,
        rules,
        service_accounts: Arc::new(known(accounts)?),
        liveness: Liveness::off(),
        exchange: Arc::new(WebIdentity::new(REGION, Some(&format!("http://{sts}")))),
        hosts: Hosts::bound_to(&[here.ip()]),
        metrics: Metrics::default(),
        clock,
        options,
    })))
}

fn known(accounts: &[(&str, String)]) -> anyhow::Result<ServiceAccountMap> {
    let known = ServiceAccountMap::default();
    for (name, role) in accounts {
        let account: ServiceAccountRef = name.parse()?;
        let annotations = [("eks.amazonaws.com/role-arn".to_owned(), role.clone())];
        let annotations = ServiceAccountAnnotations::read(
            &annotations.into_iter().collect(),
            &AnnotationPrefix::default(),
        );
        let facts = ServiceAccountFacts { uid: uid(name), annotations, ..Default::default() };
        known.insert(account, facts);
    }
    Ok(known)
}
