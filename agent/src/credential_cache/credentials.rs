//! Credentials as they are cached.

use axum::body::Bytes;
use jiff::Timestamp;
use podrole_identity::RoleArn;

use crate::{answer, exchange::Credentials};

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

    /// Their size in memory, approximately.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.access_key_id.len() + self.role.as_str().len() + self.session_name.len();
        size_of::<Self>() + self.body.len() + texts
    }
}
