//! Answers a pod that asks again for what it already has: most requests, and the quickest.
//!
//! The answer to a request is remembered by the token's hash, together with the versions of all
//! that it was decided from. While no version has changed, verifying the token and resolving its
//! role again would give the same answer, so one look at this memory replaces both. What changes
//! between two look-ups (a ServiceAccount, an association, a namespace) limits the answer's life instead.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use axum::body::Bytes;
use jiff::Timestamp;

use crate::{
    bearer_token::{PresentedToken, TokenHash},
    clock::Clock,
    credential_cache::EntrySnapshot,
    lru::{LruCache, LruValue},
};

/// How many answers are remembered. A pod has one or two tokens at a time.
const MAX_ANSWERS: usize = 8192;

/// The answers that may be served again, by the hash of the token that they were given to.
pub(crate) struct FastPath {
    answers: LruCache<TokenHash, Arc<CachedAnswer>>,
}

/// An answer, and what must stay as it is for it to be served again.
pub(crate) struct CachedAnswer {
    pub(crate) session: EntrySnapshot,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) inputs: InputVersions,
    /// When the token stops being accepted.
    pub(crate) ends: Timestamp,
    /// When the ServiceAccount or the namespace must be looked up again, by [`Clock::steady`].
    pub(crate) fresh_until: Timestamp,
    pub(crate) last_used: AtomicI64,
}

/// The versions of every input to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InputVersions {
    /// Of this node's pods.
    pub(crate) pods: u64,
    /// Of the association list.
    pub(crate) list: u64,
    /// Of patterns, guard-rails and what is looked up by name.
    pub(crate) objects: u64,
    /// Of the cluster's signing keys: how often one was withdrawn.
    pub(crate) keys: u64,
}

impl InputVersions {
    /// Whether a decision from these inputs would be the same with the inputs at `now`.
    fn is_current(&self, now: &Self) -> bool {
        self.pods == now.pods
            && self.list == now.list
            && self.objects == now.objects
            && self.keys == now.keys
    }
}

impl LruValue for Arc<CachedAnswer> {
    fn last_used(&self) -> i64 {
        self.last_used.load(Relaxed)
    }
}

impl FastPath {
    pub(crate) fn new() -> Self {
        Self { answers: LruCache::with_entries(MAX_ANSWERS) }
    }

    /// The body to serve, or `None` if the request must be decided anew.
    pub(crate) fn find(
        &self,
        token: &PresentedToken<'_>,
        peer: Option<IpAddr>,
        inputs: &InputVersions,
        clock: &Clock,
    ) -> Option<Bytes> {
        let answer = self.answers.get(token.hash())?;
        let now = clock.now();
        let ended = now >= answer.ends || clock.steady() >= answer.fresh_until;
        if ended || answer.peer != peer || !answer.inputs.is_current(inputs) {
            return None;
        }
        let credentials = answer.session.credentials(now)?;
        answer.last_used.store(now.as_millisecond(), Relaxed);
        Some(credentials.body.clone())
    }

    /// Remembers what the slow path answered, or forgets the last answer if this one may not be
    /// served again.
    pub(crate) fn store(&self, token: &TokenHash, answer: Option<CachedAnswer>) {
        match answer {
            Some(answer) => self.answers.insert(token, Arc::new(answer)),
            None => self.answers.remove_if(token, |_| true),
        }
    }
}
