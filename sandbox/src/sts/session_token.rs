//! GetSessionToken: temporary credentials of the user itself. No policy can deny it.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    caller::Caller,
    error::StsError,
    parameters::Parameters,
    role_step::{GrantedSession, expiration},
};
use crate::sessions::SessionAttributes;

/// Decides a call that `caller` signed.
pub(crate) fn decide(
    shortened: Option<Duration>,
    caller: &Caller,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<GrantedSession, StsError> {
    let seconds = parameters.session_token_duration()?;
    parameters.check_mfa()?;
    let identity = caller.identity().filter(|_| !caller.is_temporary());
    let identity = identity.ok_or(StsError::NotWithSessionCredentials)?;
    Ok(GrantedSession {
        identity: identity.clone(),
        expiration: expiration(seconds, shortened, now),
        attributes: SessionAttributes::default(),
        packed_policy_size: None,
        reason: format!("{} signed with its own key", identity.arn),
    })
}
