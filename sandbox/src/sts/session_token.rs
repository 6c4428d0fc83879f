//! GetSessionToken: a user's own credentials, for a while. No policy decides it.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    caller::Caller,
    fault::Fault,
    hop::{Granted, expiration},
    parameters::Parameters,
};
use crate::sessions::Carried;

/// Decides a call that `caller` signed.
pub(crate) fn decide(
    shortened: Option<Duration>,
    caller: &Caller,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Granted, Fault> {
    let seconds = parameters.session_token_duration()?;
    parameters.check_mfa()?;
    let identity = caller.identity().filter(|_| !caller.is_temporary());
    let identity = identity.ok_or(Fault::NotWithSessionCredentials)?;
    Ok(Granted {
        identity: identity.clone(),
        expiration: expiration(seconds, shortened, now),
        carried: Carried::default(),
        packed_policy_size: None,
        reason: format!("{} has a key of its own", identity.arn),
    })
}
