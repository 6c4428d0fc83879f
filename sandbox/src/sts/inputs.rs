//! The inputs of a decision.

use std::time::Duration;

use crate::{
    accounts::{Accounts, Provider},
    issuer::Issuer,
    token::{Token, TokenError},
};

/// The inputs of a decision.
#[derive(Clone, Copy)]
pub(crate) struct DecisionInputs<'a> {
    pub(crate) accounts: &'a Accounts,
    pub(crate) issuer: Option<&'a Issuer>,
    /// The maximum life of issued credentials.
    pub(crate) credential_life: Option<Duration>,
}

impl DecisionInputs<'_> {
    /// Checks that a key of the token's issuer signed it.
    pub(crate) fn check_signature(
        &self,
        token: &Token<'_>,
        issuer: &Provider,
    ) -> Result<(), TokenError> {
        token.check_signature(issuer.key_set(self.issuer)?.as_ref())
    }
}
