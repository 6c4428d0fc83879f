//! The store's words: what is asked for, with which token, and what is kept.

use std::sync::Arc;

use axum::body::Bytes;
use jiff::Timestamp;
use podrole_identity::{Exchange as Kind, RoleArn, ServiceAccountRef};

use super::{Again, slot::Slot};
use crate::{
    exchange::{Hop, SessionRequest, Tag},
    secret::Secret,
    token::Caller,
};

/// How much is kept: so many sessions, so many bytes, whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Sessions.
    pub entries: usize,
    /// What they weigh: answers, tokens and what is known of their users.
    pub bytes: usize,
}

/// The SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// All that makes one session another than the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// How credentials are got.
    pub exchange: Kind,
    /// From where: endpoint and region.
    pub place: Arc<str>,
    /// The role and how it is taken.
    pub session: SessionRequest,
    /// Whose it is.
    pub service_account: ServiceAccountRef,
    /// The ServiceAccount's UID: one that was made again inherits nothing.
    pub service_account_uid: String,
    /// Whom the token is for, sorted.
    pub audiences: Vec<String>,
    /// The pod's UID, where pods have sessions of their own.
    pub pod_uid: Option<String>,
}

/// A verified token that comes with a request.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The token's text.
    pub token: &'a str,
    /// Its SHA-256.
    pub hash: TokenHash,
    /// Whom it speaks for.
    pub caller: &'a Arc<Caller>,
    /// Which state of the caller's ServiceAccount and association led here: with another one,
    /// faults from before are forgotten.
    pub version: u64,
}

/// A token that is kept to refresh with.
#[derive(Clone)]
pub(crate) struct Held {
    pub(super) token: Secret,
    pub(super) hash: TokenHash,
    pub(super) caller: Arc<Caller>,
    /// When it can be sent no more; never, where it is not sent.
    pub(super) good_until: Timestamp,
}

/// Credentials as they are served: the whole answer, ready to send, wiped at the end.
pub struct Kept {
    /// The answer's body.
    pub body: Bytes,
    /// The key's name, which CloudTrail shows; no secret.
    pub access_key_id: String,
    /// The role that they are of.
    pub role: RoleArn,
    /// What the session is called.
    pub session_name: String,
    /// When the credentials were got.
    pub issued: Timestamp,
    /// When they end.
    pub expires: Timestamp,
}

/// What a request is served.
pub struct Served {
    /// The credentials.
    pub kept: Arc<Kept>,
    /// How it came to them.
    pub got: Got,
    /// Until when the same may be served again without asking.
    pub(crate) again: Option<Again>,
    pub(super) slot: Arc<Slot>,
}

impl Served {
    /// Whether it is news that the pod has these; from now on it is none.
    #[must_use]
    pub fn is_news(&self, pod_uid: &str) -> bool {
        self.slot.lock().tell(pod_uid, &self.kept)
    }
}

/// How a request came to its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// They were in memory.
    Hit,
    /// AWS was asked, and the request waited.
    Fetched,
}

impl Key {
    /// What its texts weigh, nearly.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let hop = |hop: &Hop| {
            let role = hop.role.as_str().len();
            size_of::<Hop>() + role + text(&hop.external_id) + text(&hop.policy)
        };
        let hops: usize = self.session.hops.iter().map(hop).sum();
        let tag = |tag: &Tag| size_of::<Tag>() + tag.value.len();
        let tags: usize = self.session.tags.iter().map(tag).sum();
        let audiences: usize = self.audiences.iter().map(|it| size_of::<String>() + it.len()).sum();
        let account = &self.service_account;
        let account = account.namespace().len() + account.name().len();
        let names = self.session.session_name.as_str().len() + self.service_account_uid.len();
        size_of::<Self>() + hops + tags + audiences + account + names + text(&self.pod_uid)
    }
}

impl Kept {
    /// What it weighs, nearly.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.access_key_id.len() + self.role.as_str().len() + self.session_name.len();
        size_of::<Self>() + self.body.len() + texts
    }
}

impl Held {
    /// What it weighs beside the caller, who is known elsewhere too.
    pub(super) fn bytes(&self) -> usize {
        self.token.expose().len()
    }
}

impl Presented<'_> {
    pub(super) fn hold(&self) -> Held {
        Held {
            token: Secret::new(self.token.to_owned()),
            hash: self.hash,
            caller: Arc::clone(self.caller),
            good_until: self.good_until(),
        }
    }

    pub(super) fn good_until(&self) -> Timestamp {
        if self.token.is_empty() { Timestamp::MAX } else { self.caller.expires }
    }
}
