//! A request for cached credentials, and the token that later refreshes them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    bearer_token::{BearerToken, TokenHash},
    token::Caller,
};

/// A verified request.
#[derive(Clone, Copy)]
pub struct CredentialRequest<'a> {
    /// The token, to fetch with if a fetch is needed.
    pub token: &'a BearerToken,
    /// The pod that the token identifies.
    pub caller: &'a Arc<Caller>,
    /// The version of the caller's ServiceAccount and association. Errors of another version are
    /// forgotten.
    pub version: u64,
}

/// A token that is kept to refresh with.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    pub(super) token: BearerToken,
    pub(super) caller: Arc<Caller>,
    /// Until when the token can be sent to AWS.
    pub(super) good_until: Timestamp,
}

impl CredentialRequest<'_> {
    pub(super) fn refresh_token(&self) -> RefreshToken {
        RefreshToken {
            token: self.token.clone(),
            caller: Arc::clone(self.caller),
            good_until: self.good_until(),
        }
    }

    /// When the token expires; never, if it is not sent.
    pub(super) fn good_until(&self) -> Timestamp {
        if self.token.has_text() { self.caller.expires } else { Timestamp::MAX }
    }
}

impl RefreshToken {
    pub(super) fn hash(&self) -> &TokenHash {
        self.token.hash()
    }

    /// The size of its text. The caller is shared with the verifier.
    pub(super) fn bytes(&self) -> usize {
        self.token.expose().len()
    }
}
