//! What an agent has besides its parts: what the cluster's administrator sets, and limits.

use std::sync::Arc;

use podrole_identity::{Exchange as Kind, SessionNameTemplate};

use crate::{
    events::Notices,
    limit::PodLimit,
    peer::{PeerCheck, VerifyPeer},
    resolve::{Associations, Namespaces, Sessions, Unguarded},
    token::Rules,
};

/// Associations, guard-rails and limits.
pub struct Extras {
    /// What stands for ServiceAccounts besides their annotations.
    pub associations: Associations,
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
    pub fn plain(kind: Kind, session_name: &SessionNameTemplate, rules: &Rules) -> Self {
        let audience = rules.audiences.first().cloned().unwrap_or_else(|| kind.audience());
        Self {
            associations: Associations::default(),
            namespaces: Arc::new(Unguarded::default()),
            sessions: Sessions {
                exchange: kind,
                partition: "aws",
                region: String::new(),
                cluster: None,
                tags: false,
                annotation_roles: false,
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
