//! Issued credentials. Nothing is stored: the session token carries the session, and key id, secret key and
//! the token's seal are MACs over it, so every sandbox with the same key knows the session.
//!
//! ```text
//!   session ─► payload ─┬─ MAC "key id" ─────► ASIA…
//!                       ├─ MAC "secret key" ─► secret key
//!                       └─ MAC "token" ──────► session token: version, MAC, payload
//! ```
//!
//! AWS's tokens carry their session too, and encrypt it. This payload is readable: its owner knows what is in
//! it, and anyone else with the token and its secret key has the session itself.

mod error;
mod file;
mod key;
mod payload;

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;

pub use self::{error::SessionKeyError, key::SessionKey};
use crate::{
    accounts::{Identity, Tags},
    policy::IdentityPolicy,
};

/// Temporary credentials and their identity.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    pub(crate) grant: Grant,
}

/// What a session is about, without its credentials.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) identity: Identity,
    /// In whole seconds, like the expiration.
    pub(crate) issued: Timestamp,
    pub(crate) expiration: Timestamp,
    pub(crate) attributes: SessionAttributes,
}

/// What a session got when it was created, and passes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionAttributes {
    pub(crate) tags: Tags,
    /// Lower-case keys of the transitive tags, which chained sessions inherit.
    pub(crate) transitive: BTreeSet<String>,
    pub(crate) source_identity: Option<String>,
    /// The session policy.
    pub(crate) policy: Option<IdentityPolicy>,
    /// The ARN of the identity provider, after AssumeRoleWithWebIdentity.
    pub(crate) provider: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("key_id", &self.key_id)
            .field("identity", &self.grant.identity.arn)
            .field("expiration", &self.grant.expiration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
