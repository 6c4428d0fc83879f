//! Issued credentials, stored until some time after they expire.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    accounts::{Identity, Tags},
    policy::IdentityPolicy,
};

/// How long expired credentials are stored, so that the error says that they expired.
const EXPIRED_RETENTION: SignedDuration = SignedDuration::from_hours(1);

/// Temporary credentials and their identity.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    pub(crate) issued: Timestamp,
    pub(crate) expiration: Timestamp,
    pub(crate) identity: Identity,
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

/// All sessions by access key id.
#[derive(Default)]
pub(crate) struct Sessions(HashMap<String, Session>);

impl Sessions {
    /// Stores a session, and sometimes removes those that expired long ago.
    pub(crate) fn keep(&mut self, session: Session, now: Timestamp) {
        // Sweeping when the size is a power of two makes the amortized cost of a session constant.
        if self.0.len().is_power_of_two() {
            self.0.retain(|_, one| now.duration_since(one.expiration) < EXPIRED_RETENTION);
        }
        self.0.insert(session.key_id.clone(), session);
    }

    /// The session with that key id. It may have expired.
    pub(crate) fn find(&self, key_id: &str) -> Option<&Session> {
        self.0.get(key_id)
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("key_id", &self.key_id)
            .field("identity", &self.identity.arn)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(key_id: &str, expiration: Timestamp) -> Session {
        let role = "arn:aws:iam::111122223333:role/app".parse().unwrap();
        Session {
            key_id: key_id.to_owned(),
            secret: "a secret".to_owned(),
            token: "a token".to_owned(),
            issued: Timestamp::UNIX_EPOCH,
            expiration,
            identity: Identity::session(&role, &"me".parse().unwrap()),
            attributes: SessionAttributes::default(),
        }
    }

    #[test]
    fn sessions_that_expired_long_ago_are_removed() {
        let mut sessions = Sessions::default();
        let start = Timestamp::UNIX_EPOCH;
        sessions.keep(session("old", start), start);
        sessions.keep(session("new", start + EXPIRED_RETENTION), start + EXPIRED_RETENTION / 2);
        assert!(sessions.find("old").is_some());
        sessions.keep(session("newer", start + EXPIRED_RETENTION), start + EXPIRED_RETENTION);
        assert!(sessions.find("old").is_none());
        assert!(sessions.find("new").is_some());
    }

    #[test]
    fn a_session_does_not_print_its_secrets() {
        let text = format!("{:?}", session("id", Timestamp::UNIX_EPOCH));
        assert!(!text.contains("a secret") && !text.contains("a token"), "{text}");
    }
}
