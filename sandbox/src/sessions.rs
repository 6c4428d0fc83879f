//! The credentials that were issued, kept until they have expired.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    accounts::{Identity, Tags},
    policy::IdentityPolicy,
};

/// How long expired credentials are remembered, so that they are told from unknown ones.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// Temporary credentials, and who they are.
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

/// What a session was given on its way, and takes along.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionAttributes {
    pub(crate) tags: Tags,
    /// The keys, in small letters, of the tags that every further session inherits.
    pub(crate) transitive: BTreeSet<String>,
    pub(crate) source_identity: Option<String>,
    /// What the session may do at most.
    pub(crate) policy: Option<IdentityPolicy>,
    /// The ARN of the identity provider that vouched for it.
    pub(crate) provider: Option<String>,
}

/// All of them, by key id.
#[derive(Default)]
pub(crate) struct Sessions(HashMap<String, Session>);

impl Sessions {
    /// Keeps a session, and forgets those that expired long ago.
    pub(crate) fn keep(&mut self, session: Session, now: Timestamp) {
        // Sweeping at the powers of two keeps the cost of a session constant.
        if self.0.len().is_power_of_two() {
            self.0.retain(|_, one| now.duration_since(one.expiration) < REMEMBERED);
        }
        self.0.insert(session.key_id.clone(), session);
    }

    /// The session with that key id, expired or not.
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
    fn what_expired_long_ago_is_forgotten() {
        let mut sessions = Sessions::default();
        let start = Timestamp::UNIX_EPOCH;
        sessions.keep(session("old", start), start);
        sessions.keep(session("new", start + REMEMBERED), start + REMEMBERED / 2);
        assert!(sessions.find("old").is_some());
        sessions.keep(session("newer", start + REMEMBERED), start + REMEMBERED);
        assert!(sessions.find("old").is_none());
        assert!(sessions.find("new").is_some());
    }

    #[test]
    fn a_session_does_not_print_its_secrets() {
        let text = format!("{:?}", session("id", Timestamp::UNIX_EPOCH));
        assert!(!text.contains("a secret") && !text.contains("a token"), "{text}");
    }
}
