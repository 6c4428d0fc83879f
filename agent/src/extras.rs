//! What an agent has besides its parts: what the cluster's administrator sets, and limits.

use std::sync::Arc;

use podrole_identity::{AssociationList, Exchange, GrantRules, Partition, SessionNameTemplate};
use podrole_runtime::latest::Latest;

use crate::{
    events::Notices,
    limit::PodLimit,
    peer::{PeerCheck, VerifyPeer},
    resolve::{Namespaces, Sessions, Unguarded},
    token::Rules,
};

/// Associations, guard-rails and limits.
pub struct Extras {
    /// What stands for ServiceAccounts besides their annotations.
    pub associations: Latest<AssociationList>,
    /// Where namespaces are looked up.
    pub namespaces: Arc<Namespaces>,
    /// How sessions are made.
    pub sessions: Sessions,
    /// Whether requests come from the pods that they speak for.
    pub peers: PeerCheck,
    /// How often a pod may ask.
    pub limit: PodLimit,
    /// Where final refusals are told.
    pub notices: Option<Notices>,
    /// What sessions may weigh in memory, in bytes.
    pub max_bytes: usize,
}

/// What sessions may weigh unless somebody says otherwise.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

impl Extras {
    /// Neither associations nor guard-rails nor limits.
    #[must_use]
    pub fn plain(kind: Exchange, session_name: &SessionNameTemplate, rules: &Rules) -> Self {
        let audience = rules.audiences.first().cloned().unwrap_or_else(|| kind.audience());
        Self {
            associations: Latest::from(AssociationList::default()),
            namespaces: Arc::new(Unguarded::default()),
            sessions: Sessions {
                rules: GrantRules {
                    exchange: kind,
                    partition: Some(Partition::of_region("")),
                    session_tags: false,
                    ..GrantRules::default()
                },
                session_name: session_name.clone(),
                audience,
            },
            peers: PeerCheck { mode: VerifyPeer::Off, ..PeerCheck::default() },
            limit: PodLimit::per_second(0),
            notices: None,
            max_bytes: MAX_BYTES,
        }
    }
}
