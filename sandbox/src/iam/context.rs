//! The input and the outcome of IAM's operations.

use jiff::Timestamp;
use serde::Serialize;

use super::{caller::IamCaller, change::Change, xml::ResultXml};
use crate::accounts::Accounts;

/// A performed operation: its result, and what it changed.
pub(super) struct Outcome {
    pub(super) document: ResultXml,
    pub(super) change: Option<Change>,
}

/// What an operation works with.
pub(super) struct IamContext<'a> {
    pub(super) operation: &'static str,
    pub(super) accounts: &'a mut Accounts,
    pub(super) caller: &'a IamCaller,
    pub(super) now: Timestamp,
}

impl Outcome {
    pub(super) fn changed(document: ResultXml, change: Change) -> Self {
        Self { document, change: Some(change) }
    }
}

impl IamContext<'_> {
    /// The result element of this operation.
    pub(super) fn result<T: Serialize>(&self, result: &T) -> ResultXml {
        ResultXml::of(self.operation, result)
    }
}

impl From<ResultXml> for Outcome {
    fn from(document: ResultXml) -> Self {
        Self { document, change: None }
    }
}
