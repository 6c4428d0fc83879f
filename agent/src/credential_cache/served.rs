//! What the cache returns to a request.

use std::sync::Arc;

use super::{
    credentials::CachedCredentials,
    entry::{Entry, EntrySnapshot},
    key::CacheKey,
};

/// Credentials for a request.
pub struct Served {
    /// The credentials.
    pub credentials: Arc<CachedCredentials>,
    /// Where they came from.
    pub source: ServedFrom,
    /// From what the fast path may serve them again, if it may.
    pub(crate) snapshot: Option<EntrySnapshot>,
    entry: Arc<Entry>,
}

/// Where a request's credentials came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedFrom {
    /// The cache.
    Cache,
    /// A fetch that the request waited for.
    Fetch,
}

impl Served {
    pub(super) fn new(
        entry: Arc<Entry>,
        credentials: Arc<CachedCredentials>,
        source: ServedFrom,
    ) -> Self {
        Self { credentials, source, snapshot: None, entry }
    }

    pub(super) fn with_snapshot(self, snapshot: EntrySnapshot) -> Self {
        Self { snapshot: Some(snapshot), ..self }
    }

    /// The session.
    pub(crate) fn key(&self) -> &Arc<CacheKey> {
        &self.entry.key
    }

    /// Whether the pod receives these credentials for the first time. Asking counts as receiving.
    #[must_use]
    pub fn is_first_for(&self, pod_uid: &str) -> bool {
        self.entry.lock().record_use(pod_uid, &self.credentials)
    }
}
