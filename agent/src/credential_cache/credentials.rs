//! Credentials as they are cached.

use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use podrole_identity::RoleArn;

use crate::{answer, exchange::Credentials};

/// How far a clock may be set back without consequence.
const SET_BACK: SignedDuration = SignedDuration::from_secs(10);

/// Credentials as the body that is sent, which is built once and wiped at the end.
pub struct CachedCredentials {
    /// The body of the answer.
    pub body: Bytes,
    /// The key's ID, which CloudTrail shows.
    pub access_key_id: String,
    /// The assumed role.
    pub role: RoleArn,
    /// The session's name.
    pub session_name: String,
    /// When they were fetched.
    pub issued: Timestamp,
    /// When they expire.
    pub expires: Timestamp,
}

impl CachedCredentials {
    pub(super) fn new(credentials: Credentials, issued: Timestamp) -> Self {
        Self {
            body: answer::success(&credentials),
            issued,
            expires: credentials.expires,
            access_key_id: credentials.access_key_id,
            role: credentials.role,
            session_name: credentials.session_name,
        }
    }

    /// Whether they were not fetched in the future. If they were, the clock was set back, and their end, which was
    /// translated to it, is later than AWS's.
    pub(super) fn is_of_this_clock(&self, now: Timestamp) -> bool {
        self.issued.duration_since(now) <= SET_BACK
    }

    /// Their size in memory, approximately.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.access_key_id.len() + self.role.as_str().len() + self.session_name.len();
        size_of::<Self>() + self.body.len() + texts
    }
}
