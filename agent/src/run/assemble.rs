//! Assembles the agent from the flags.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use podrole_identity::{AssociationList, Exchange, Guardrails, Patterns};
use podrole_runtime::{
    association_list,
    health::{Gate, Health},
    latest::Latest,
};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    agent::Agent,
    args::{Args, KeysFrom, PodLiveness},
    aws_clock::AwsClock,
    clock::Clock,
    cluster::{Cluster, NodesPods},
    config::{AgentConfig, AgentOptions},
    events::Notices,
    exchange::{
        ExchangeClient, assume_role::AssumeRole, eks_auth::EksAuth,
        source_credentials::SourceCredentials, sts::Endpoint, web_identity::WebIdentity,
    },
    handover::{Agreement, Holder},
    hosts::Hosts,
    http_client::HttpClients,
    keys::{JwksCache, KeySource, KeysFile},
    metrics::{Metrics, Source},
    missed_pods::MissedIntervals,
    node::Liveness,
    peer::PeerCheck,
    refusal_limit::RefusalLimit,
    resolve::{Cached, Lookup, NamespaceFacts, Sessions, WatchSlots},
    socket_owner::SocketOwner,
    token::Rules,
};

/// How often the keys are fetched: a withdrawn key is accepted no longer than this.
const KEYS_INTERVAL: Duration = Duration::from_mins(10);
const RETRY: Duration = Duration::from_secs(5);

/// The agent, the tasks that watch and fetch for it, and what it checks a successor with.
pub(super) async fn agent(
    args: &Args,
    addresses: Vec<SocketAddr>,
    health: &Health,
    metrics: Metrics,
    shutdown: &CancellationToken,
) -> anyhow::Result<(Arc<Agent>, Option<Holder>)> {
    let clock = Clock::default();
    let cluster = Cluster::connect(args.kubeconfig.as_deref()).await?;
    let aws_clock = AwsClock::new(clock.clone(), metrics.clock_skew());
    let exchange = exchange(args, health, &clock, &aws_clock)?;
    let keys = keys(args, &cluster, &clock, health);
    let watched = watched(args, &cluster, &clock, health);
    let liveness = match &watched {
        Some((pods, node)) => Liveness::on(Arc::clone(&pods.pods), node),
        None => Liveness::off(),
    };
    let list = match args.grant.associations.clone() {
        Some(file) => {
            let read = health.gate("the association list");
            association_list::follow(
                file,
                metrics.source_errors(Source::ListFile),
                read,
                shutdown.clone(),
            )
            .await
        }
        None => Latest::from(AssociationList::default()),
    };
    let slots = WatchSlots::default();
    let namespaces = cluster.namespaces(args.injection_default, health);
    let namespaces = Cached::new(namespaces, clock.clone(), slots.clone());
    let hosts: Vec<_> = addresses.iter().map(SocketAddr::ip).collect();
    let mut options = options(args, &cluster, namespaces, list)?;
    if args.grant.association_objects {
        let live = cluster.associations(metrics.source_errors(Source::Associations), health);
        let live = Cached::new(live, clock.clone(), slots.clone());
        options.associations = Some(Arc::new(live));
        options.patterns =
            cluster.patterns(metrics.source_errors(Source::Patterns), health, shutdown);
        options.guardrails =
            cluster.guardrails(metrics.source_errors(Source::Guardrails), health, shutdown);
    }
    options.aws_clock = Some(aws_clock);
    options.socket_owner = socket_owner(args, addresses);
    let rules = args.grant.annotation_rules(Some(args.region()?));
    let service_accounts = cluster.service_accounts(rules, health);
    let own_audiences = args.exchange() == Exchange::WebIdentity;
    let holder = holder(args, &keys, &liveness, &clock);
    let config = AgentConfig {
        keys,
        rules: Rules { issuers: args.issuer.clone(), audiences: args.audiences(), own_audiences },
        service_accounts: Arc::new(Cached::new(service_accounts, clock.clone(), slots)),
        liveness,
        exchange,
        hosts: Hosts::bound_to(&hosts),
        metrics,
        clock,
        options,
    };
    let agent = Agent::new(config);
    if let Some((NodesPods { added, gone, .. }, _)) = watched {
        tokio::spawn(forget(Arc::clone(&agent), gone));
        let agent = Arc::clone(&agent);
        tokio::spawn(async move { agent.prefetch_all(added).await });
    }
    Ok((agent, holder))
}

fn holder(args: &Args, keys: &JwksCache, liveness: &Liveness, clock: &Clock) -> Option<Holder> {
    let token = args.handover_token.clone()?;
    let (keys, issuers) = (keys.clone(), args.issuer.clone());
    let agreement = Agreement::of(args);
    Some(Holder::new(keys, issuers, liveness.clone(), clock.clone(), token, agreement))
}

/// How pods on the host's network are distinguished, if they can be.
#[cfg(target_os = "linux")]
fn socket_owner(args: &Args, servers: Vec<SocketAddr>) -> Option<Arc<dyn SocketOwner>> {
    let cgroups = args.cgroups.as_deref()?;
    let Some(owner) = crate::socket_owner::KernelSocketOwner::new(cgroups, servers) else {
        tracing::info!(
            cgroups = %cgroups.display(),
            "no cgroup v2 is mounted there; pods on the host's network cannot be distinguished"
        );
        return None;
    };
    Some(Arc::new(owner))
}

#[cfg(not(target_os = "linux"))]
fn socket_owner(_: &Args, _: Vec<SocketAddr>) -> Option<Arc<dyn SocketOwner>> {
    None
}

fn exchange(
    args: &Args,
    health: &Health,
    clock: &Clock,
    aws_clock: &AwsClock,
) -> anyhow::Result<Arc<dyn ExchangeClient>> {
    let region = args.region()?;
    let clients =
        HttpClients::with_bundle(args.ca_bundle.as_deref())?.with_clock(aws_clock.clone());
    let endpoint = |endpoint_url: &Option<String>| Endpoint {
        region: region.to_owned(),
        endpoint_url: endpoint_url.clone(),
        fips: args.use_fips,
        dual_stack: args.use_dual_stack,
    };
    let sts = endpoint(&args.sts_endpoint_url);
    let source = || {
        let good = health.gate("the agent's own AWS credentials");
        let source = SourceCredentials::of_the_node(
            region,
            args.agent_web_identity,
            &clients,
            clock.clone(),
            good,
        );
        tokio::spawn(keep_loaded(source.clone()));
        source
    };
    Ok(match args.exchange() {
        Exchange::WebIdentity => Arc::new(WebIdentity::at(&sts, &clients)),
        Exchange::AssumeRole => Arc::new(AssumeRole::at(&sts, &clients, source())),
        Exchange::EksAuth => {
            let endpoint = endpoint(&args.eks_auth_endpoint_url);
            let source = source();
            let cluster = &args.grant.cluster_name;
            Arc::new(EksAuth::at(&endpoint, cluster, &clients, source))
        }
    })
}

/// Loads the source credentials again and again: the agent is not ready before the first ones, and
/// rejected ones are replaced even if no pod asks.
async fn keep_loaded(source: SourceCredentials) {
    loop {
        let _ = source.get().await;
        sleep(RETRY).await;
    }
}

fn keys(args: &Args, cluster: &Cluster, clock: &Clock, health: &Health) -> JwksCache {
    let file = args.keys_cache.clone().map(KeysFile::at);
    let file = file.map(|file| file.of_issuers(args.issuer.clone()));
    let source = match args.keys_from {
        // Tokens cannot be verified without an issuer, and the API server names its own.
        KeysFrom::ApiServer if args.issuer.is_empty() => {
            KeySource::ApiServerAndIssuer(cluster.clone())
        }
        KeysFrom::ApiServer => KeySource::ApiServer(cluster.clone()),
        KeysFrom::Issuer => KeySource::Issuers(args.issuer.clone()),
    };
    let keys = JwksCache::with_file(file, source, clock.clone());
    let read = health.gate("the cluster's keys");
    if !keys.is_empty() {
        read.open();
    }
    tokio::spawn(renew(keys.clone(), read));
    keys
}

/// The pods of this node and the node's name, or `None` with `--pod-liveness off`.
fn watched<'a>(
    args: &'a Args,
    cluster: &Cluster,
    clock: &Clock,
    health: &Health,
) -> Option<(NodesPods, &'a str)> {
    let node = args.node_name.as_deref().filter(|_| args.pod_liveness == PodLiveness::On)?;
    let prefix = args.grant.annotation_prefix.clone();
    Some((cluster.pods(node, prefix, clock, health), node))
}

async fn forget(agent: Arc<Agent>, mut gone: mpsc::UnboundedReceiver<String>) {
    while let Some(uid) = gone.recv().await {
        agent.pod_gone(&uid);
    }
}

fn options(
    args: &Args,
    cluster: &Cluster,
    namespaces: impl Lookup<String, NamespaceFacts>,
    list: Latest<AssociationList>,
) -> anyhow::Result<AgentOptions> {
    let (notices, events) = Notices::new();
    cluster.write_events(args.node_name.as_deref().unwrap_or("podrole-agent"), events);
    Ok(AgentOptions {
        list,
        associations: None,
        aws_clock: None,
        patterns: Latest::from(Patterns::default()),
        guardrails: Latest::from(Guardrails::default()),
        namespaces: Arc::new(namespaces),
        sessions: sessions(args)?,
        peers: PeerCheck {
            mode: args.verify_peer,
            exempt: args.verify_peer_exempt.iter().cloned().collect(),
        },
        socket_owner: None,
        refusals: RefusalLimit::per_second(args.rejected_tokens_per_second),
        hold: Duration::from_millis(args.hold),
        notices: Some(notices),
        missed: MissedIntervals::default(),
        max_sessions: args.max_cache_size,
        max_bytes: args.max_cache_bytes,
    })
}

fn sessions(args: &Args) -> anyhow::Result<Sessions> {
    Ok(Sessions {
        rules: args.rules()?,
        session_name: args.session_name.clone(),
        annotation_prefix: args.grant.annotation_prefix.clone(),
        association_objects: args.grant.association_objects,
        audience: args.audiences().first().cloned().unwrap_or_else(|| args.exchange().audience()),
    })
}

/// Fetches the keys again and again, so that a withdrawn key is no longer accepted.
async fn renew(keys: JwksCache, read: Gate) {
    loop {
        match keys.refetch().await {
            Ok(()) => {
                read.open();
                sleep(KEYS_INTERVAL).await;
            }
            Err(error) => {
                tracing::warn!(
                    %error,
                    "could not refresh the cluster's signing keys; keeping the current ones"
                );
                sleep(RETRY).await;
            }
        }
    }
}
