//! The caller of IAM: the user who signed the call.

use jiff::Timestamp;

use super::error::IamError;
use crate::{
    accounts::{Accounts, Owner},
    call::Call,
    sessions::SessionKey,
    signature::authorization::SignatureError,
    sts::caller::authenticate,
};

/// The account that a call applies to.
pub(super) struct IamCaller {
    pub(super) account: String,
    pub(super) partition: String,
}

/// Authenticates the user that signed the call. Temporary credentials are rejected, so that a pod cannot
/// change what a role trusts.
pub(super) fn identify(
    accounts: &Accounts,
    sessions: &SessionKey,
    call: &Call<'_>,
    operation: &'static str,
    now: Timestamp,
) -> Result<IamCaller, IamError> {
    let caller = authenticate(accounts, sessions, call, "iam", now)?;
    let identity = caller.identity().ok_or(SignatureError::UnknownKey)?;
    match &identity.owner {
        Owner::User(user) if !caller.is_temporary() => Ok(IamCaller {
            account: user.account().to_string(),
            partition: user.partition().to_owned(),
        }),
        _ => Err(IamError::AccessDenied { arn: identity.arn.clone(), operation }),
    }
}
