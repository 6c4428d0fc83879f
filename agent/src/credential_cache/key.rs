//! What distinguishes one cached session from another.

use std::sync::Arc;

use jiff::Timestamp;
use podrole_identity::{Exchange, ServiceAccountRef};

use crate::exchange::{RoleStep, SessionRequest, Tag};

/// The cache's size. The bound that is reached first applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Sessions.
    pub entries: usize,
    /// Bytes of bodies, tokens, keys and users.
    pub bytes: usize,
}

/// Everything that makes one session different from another. If a part were missing, a pod could
/// be served the credentials of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The exchange.
    pub exchange: Exchange,
    /// The endpoint and region that issue the credentials.
    pub endpoint: Arc<str>,
    /// The roles, and the session's name, tags and policies.
    pub session: SessionRequest,
    /// The ServiceAccount.
    pub service_account: ServiceAccountRef,
    /// The ServiceAccount's UID: one that is created again inherits nothing.
    pub service_account_uid: String,
    /// The token's audiences, sorted.
    pub audiences: Vec<String>,
    /// The pod's UID, if each pod has a session of its own.
    pub pod_uid: Option<String>,
    /// The time before which sessions are not served, once it has come: a new one is another session.
    pub not_before: Option<Timestamp>,
}

impl CacheKey {
    /// Its size in memory, approximately.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let step = |step: &RoleStep| {
            let role = step.role.as_str().len();
            size_of::<RoleStep>() + role + text(&step.external_id) + text(&step.policy)
        };
        let steps: usize = self.session.steps.iter().map(step).sum();
        let tag = |tag: &Tag| size_of::<Tag>() + tag.value.len();
        let tags: usize = self.session.tags.iter().map(tag).sum();
        let audiences: usize = self.audiences.iter().map(|it| size_of::<String>() + it.len()).sum();
        let account = &self.service_account;
        let account = account.namespace().len() + account.name().len();
        let names = self.session.session_name.as_str().len() + self.service_account_uid.len();
        size_of::<Self>() + steps + tags + audiences + account + names + text(&self.pod_uid)
    }
}
