//! The access key that a request is verified with.

use std::fmt;

use jiff::Timestamp;

use super::{
    authorization::{RequestSignature, SignatureError},
    equal::equal,
};
use crate::{
    accounts::{AccessKey, User},
    sessions::Session,
};

/// An access key, with its secret.
#[derive(Clone)]
pub(crate) struct CallerKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    /// Temporary credentials have a session token, and are invalid without it.
    pub(crate) token: Option<String>,
    /// `None` if the key does not expire.
    pub(crate) expiration: Option<Timestamp>,
    /// The ARN of the owner.
    pub(crate) arn: String,
}

impl CallerKey {
    /// Checks that the request has this key's session token.
    pub(crate) fn check_token(&self, signed: &RequestSignature) -> Result<(), SignatureError> {
        let given = signed.session_token.as_deref().unwrap_or_default();
        let own = self.token.as_deref().unwrap_or_default();
        equal(given, own).then_some(()).ok_or(SignatureError::SessionToken)
    }

    /// Checks that the credentials have not expired.
    pub(crate) fn check_expiry(&self, now: Timestamp) -> Result<(), SignatureError> {
        let alive = self.expiration.is_none_or(|end| now < end);
        alive.then_some(()).ok_or(SignatureError::Expired)
    }
}

impl From<&Session> for CallerKey {
    fn from(session: &Session) -> Self {
        Self {
            id: session.key_id.clone(),
            secret: session.secret.clone(),
            token: Some(session.token.clone()),
            expiration: Some(session.grant.expiration),
            arn: session.grant.identity.arn.clone(),
        }
    }
}

impl From<(&User, &AccessKey)> for CallerKey {
    fn from((user, key): (&User, &AccessKey)) -> Self {
        Self {
            id: key.id.clone(),
            secret: key.secret.clone(),
            token: None,
            expiration: None,
            arn: user.arn.as_str().to_owned(),
        }
    }
}

impl fmt::Debug for CallerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerKey")
            .field("id", &self.id)
            .field("arn", &self.arn)
            .finish_non_exhaustive()
    }
}
