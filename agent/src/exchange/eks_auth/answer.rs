//! What EKS Auth answers, read with suspicion. Pure.

use jiff::Timestamp;
use podrole_identity::Exchange as Kind;
use serde::Deserialize;

use crate::{
    exchange::{Credentials, ErrorKind, ExchangeError, classify, signed},
    http_client::RawResponse,
    secret::Secret,
    token::Caller,
};

/// Members that nobody here knows are let be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Success {
    subject: Subject,
    audience: String,
    assumed_role_user: User,
    credentials: Given,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    namespace: String,
    service_account: String,
}

#[derive(Deserialize)]
struct User {
    arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    /// Seconds, with or without a fraction.
    expiration: f64,
}

#[derive(Deserialize, Default)]
struct Failure {
    #[serde(rename = "__type", alias = "code", default)]
    code: String,
    #[serde(alias = "Message", default)]
    message: String,
}

/// The credentials for this caller, or whose error it is that there are none.
pub(super) fn read(
    answer: &RawResponse,
    caller: &Caller,
    token: &Secret,
) -> Result<Credentials, ExchangeError> {
    if answer.status != 200 {
        return Err(read_error(answer, token));
    }
    let success: Success = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    must_be_for(&success, caller)?;
    let user = signed::parts(&success.assumed_role_user.arn).ok_or_else(unreadable)?;
    let given = success.credentials;
    let parts = [&given.access_key_id, &given.secret_access_key, &given.session_token];
    if parts.iter().any(|part| part.is_empty()) {
        return Err(unreadable());
    }
    Ok(Credentials {
        access_key_id: given.access_key_id,
        role: user.role_arn().ok_or_else(unreadable)?,
        session_name: user.session.to_owned(),
        secret_access_key: Secret::new(given.secret_access_key),
        session_token: Secret::new(given.session_token),
        expires: seconds(given.expiration).ok_or_else(unreadable)?,
    })
}

/// Credentials of somebody else must not be handed out, whoever mixed them up.
fn must_be_for(success: &Success, caller: &Caller) -> Result<(), ExchangeError> {
    let account = &caller.service_account;
    let same = success.subject.namespace == account.namespace()
        && success.subject.service_account == account.name()
        && caller.audiences.contains(&success.audience);
    let message = "EKS Auth answered with credentials of somebody else; they are thrown away";
    same.then_some(())
        .ok_or_else(|| ExchangeError::new(ErrorKind::Transient, "WrongSubject", message))
}

fn unreadable() -> ExchangeError {
    let message = "EKS Auth answered without usable credentials";
    ExchangeError::new(ErrorKind::Transient, "UnreadableAnswer", message)
}

fn seconds(number: f64) -> Option<Timestamp> {
    let whole = jiff::SignedDuration::try_from_secs_f64(number.floor()).ok()?;
    Timestamp::from_second(whole.as_secs()).ok()
}

fn read_error(answer: &RawResponse, token: &Secret) -> ExchangeError {
    let failure: Failure = serde_json::from_slice(&answer.body).unwrap_or_default();
    let named = answer.error_type.as_deref().unwrap_or(&failure.code);
    // `prefix#Code:http://...`: both ends are ornament.
    let code = named.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let error = classify(Kind::EksAuth, answer.status, code, &failure.message);
    // An endpoint that echoes what it was sent must not bring the token into the log.
    ExchangeError::new(error, code, &failure.message.replace(token.expose(), "<token>"))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
