//! The live pods that use a session.

use jiff::Timestamp;

/// Pods, sorted by UID.
#[derive(Default)]
pub(super) struct Users(Vec<User>);

struct User {
    uid: Box<str>,
    /// When the credentials that the pod last received were issued.
    received: Option<Timestamp>,
}

impl Users {
    fn position(&self, uid: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|user| (*user.uid).cmp(uid))
    }

    pub(super) fn contains(&self, uid: &str) -> bool {
        self.position(uid).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, uid: &str) {
        if let Err(position) = self.position(uid) {
            self.0.insert(position, User { uid: uid.into(), received: None });
        }
    }

    /// Records that the pod receives the credentials of `issued`; returns false if it had them.
    pub(super) fn record_use(&mut self, uid: &str, issued: Timestamp) -> bool {
        let user = self.position(uid).ok().and_then(|position| self.0.get_mut(position));
        user.is_none_or(|user| user.received.replace(issued) != Some(issued))
    }

    /// Removes a pod; returns whether it was the last.
    pub(super) fn remove(&mut self, uid: &str) -> bool {
        self.position(uid).is_ok_and(|position| {
            self.0.remove(position);
            self.0.is_empty()
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|user| size_of::<User>() + user.uid.len()).sum()
    }
}
