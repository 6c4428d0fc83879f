//! What an agent is built from. The daemon passes a cluster and AWS, a test passes maps.

use std::{sync::Arc, time::Duration};

use podrole_identity::{
    AnnotationPrefix, AssociationList, Exchange, GrantRules, Guardrails, Partition, Patterns,
    SessionNameTemplate,
};
use podrole_runtime::latest::Latest;

use crate::{
    aws_clock::AwsClock,
    clock::Clock,
    events::Notices,
    exchange::ExchangeClient,
    hold::HOLD,
    hosts::Hosts,
    keys::JwksCache,
    metrics::Metrics,
    missed_pods::MissedIntervals,
    node::Liveness,
    peer::{PeerCheck, VerifyPeer},
    refusal_limit::{REJECTED_TOKENS, RefusalLimit},
    resolve::{Associations, Namespaces, ServiceAccounts, Sessions, Unguarded},
    socket_owner::SocketOwner,
    token::Rules,
};

/// The default of [`AgentOptions::max_bytes`].
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What an agent reads from and calls, and its options.
pub struct AgentConfig {
    /// The keys that tokens are verified with.
    pub keys: JwksCache,
    /// What tokens must claim.
    pub rules: Rules,
    /// Where ServiceAccounts are looked up.
    pub service_accounts: Arc<ServiceAccounts>,
    /// Whether pods are alive.
    pub liveness: Liveness,
    /// How credentials are fetched.
    pub exchange: Arc<dyn ExchangeClient>,
    /// The values of the `Host` header that requests may carry.
    pub hosts: Hosts,
    /// The agent's metrics.
    pub metrics: Metrics,
    /// The time that tokens and credentials are compared with.
    pub clock: Clock,
    /// What the cluster's administrator chooses.
    pub options: AgentOptions,
}

/// Associations, guard-rails, session names and limits.
pub struct AgentOptions {
    /// The association list.
    pub list: Latest<AssociationList>,
    /// Where PodIdentityAssociations are looked up; `None` if the cluster's own kinds are not followed.
    pub associations: Option<Arc<Associations>>,
    /// The cluster's patterns.
    pub patterns: Latest<Patterns>,
    /// The cluster's guard-rails.
    pub guardrails: Latest<Guardrails>,
    /// Where namespaces, and with them guard-rails, are looked up.
    pub namespaces: Arc<Namespaces>,
    /// The clock that the times of revocations are compared with; `None` for the node's.
    pub aws_clock: Option<AwsClock>,
    /// How sessions are made.
    pub sessions: Sessions,
    /// Whether a request must come from the address of its token's pod.
    pub peers: PeerCheck,
    /// How clients at the node's own addresses are distinguished, if at all.
    pub socket_owner: Option<Arc<dyn SocketOwner>>,
    /// How many invalid tokens an address may send.
    pub refusals: RefusalLimit,
    /// How long a 503 is held back while the agent goes on trying; zero sends it at once.
    pub hold: Duration,
    /// Where final refusals are reported as Events, if at all.
    pub notices: Option<Notices>,
    /// When pods without a credential provider are judged again.
    pub missed: MissedIntervals,
    /// How many sessions are cached at most.
    pub max_sessions: u64,
    /// The memory that cached sessions may take, in bytes.
    pub max_bytes: usize,
}

impl AgentOptions {
    /// Options for an agent without a cluster: no associations, no guard-rails, and a
    /// cache of 100 sessions.
    #[must_use]
    pub fn standalone(exchange: Exchange, rules: &Rules) -> Self {
        let audience = rules.audiences.first().cloned().unwrap_or_else(|| exchange.audience());
        Self {
            list: Latest::from(AssociationList::default()),
            associations: None,
            patterns: Latest::from(Patterns::default()),
            guardrails: Latest::from(Guardrails::default()),
            namespaces: Arc::new(Unguarded::default()),
            aws_clock: None,
            sessions: Sessions {
                rules: GrantRules {
                    exchange,
                    partition: Some(Partition::of_region("")),
                    session_tags: false,
                    ..GrantRules::default()
                },
                session_name: SessionNameTemplate::default(),
                annotation_prefix: AnnotationPrefix::default(),
                association_objects: false,
                audience,
            },
            peers: PeerCheck { mode: VerifyPeer::Off, ..PeerCheck::default() },
            socket_owner: None,
            refusals: RefusalLimit::per_second(REJECTED_TOKENS),
            hold: HOLD,
            notices: None,
            missed: MissedIntervals::default(),
            max_sessions: 100,
            max_bytes: MAX_BYTES,
        }
    }
}
