//! What IAM's operations work with, and what comes of them.

use jiff::Timestamp;
use serde::Serialize;

use super::{answer::Document, caller::Caller, change::Change};
use crate::accounts::Accounts;

/// A yes: what to answer, and what is different now.
pub(super) struct Done {
    pub(super) document: Document,
    pub(super) change: Option<Change>,
}

/// What an operation works with: the account that it is called in, and the time.
pub(super) struct Desk<'a> {
    pub(super) operation: &'static str,
    pub(super) accounts: &'a mut Accounts,
    pub(super) caller: &'a Caller,
    pub(super) now: Timestamp,
}

impl Done {
    pub(super) fn changed(document: Document, change: Change) -> Self {
        Self { document, change: Some(change) }
    }
}

impl Desk<'_> {
    /// A result of the operation that was called.
    pub(super) fn result<T: Serialize>(&self, result: &T) -> Document {
        Document::of(self.operation, result)
    }
}

impl From<Document> for Done {
    fn from(document: Document) -> Self {
        Self { document, change: None }
    }
}
