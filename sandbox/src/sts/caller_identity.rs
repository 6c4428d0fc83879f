//! GetCallerIdentity: whose credentials signed this. No policy can deny it.

use jiff::Timestamp;

use super::{
    Call,
    authorization::{SignatureError, Signed},
    sigv4,
};
use crate::{
    accounts::AssumedRole,
    sessions::{Session, Sessions},
};

/// Decides a call: the identity of the credentials that signed it.
pub(crate) fn decide(
    sessions: &Sessions,
    call: &Call<'_>,
    now: Timestamp,
) -> Result<AssumedRole, SignatureError> {
    let signed = Signed::read(call)?;
    let session = sessions.find(&signed.scope.key_id);
    let session = session.ok_or(SignatureError::UnknownKey)?;
    check_session_token(session, &signed)?;
    signed.check_scope()?;
    signed.check_time(now)?;
    signed.check_body(call)?;
    sigv4::check_signature(call, &signed, session)?;
    check_expiry(session, now)?;
    Ok(session.identity.clone())
}

/// The session token is the one that came with this key.
fn check_session_token(session: &Session, signed: &Signed) -> Result<(), SignatureError> {
    let token = signed.session_token.as_deref().unwrap_or_default();
    sigv4::equal(token, &session.token).then_some(()).ok_or(SignatureError::SessionToken)
}

/// The credentials have not expired.
fn check_expiry(session: &Session, now: Timestamp) -> Result<(), SignatureError> {
    (now < session.expiration).then_some(()).ok_or(SignatureError::Expired)
}

#[cfg(test)]
mod tests;
