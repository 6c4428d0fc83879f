//! Parses and checks the responses of EKS Auth. Pure.

use jiff::Timestamp;
use podrole_identity::{AssumedRoleArn, Exchange};
use serde::Deserialize;

use crate::{
    bearer_token::BearerToken,
    exchange::{Credentials, ExchangeError, classify},
    http_client::RawResponse,
    secret::Secret,
    token::Caller,
};

/// A response. Unknown members are ignored, as AWS adds some over time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssumeRoleOutput {
    subject: Subject,
    audience: String,
    assumed_role_user: AssumedRoleUser,
    credentials: IssuedCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    namespace: String,
    service_account: String,
}

#[derive(Deserialize)]
struct AssumedRoleUser {
    arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssuedCredentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    /// Seconds since 1970, with or without a fraction.
    expiration: f64,
}

#[derive(Deserialize, Default)]
struct ErrorOutput {
    #[serde(alias = "Message", default)]
    message: String,
}

/// The credentials for this caller.
///
/// # Errors
/// If EKS Auth refused, or the response is incomplete or for another ServiceAccount.
pub(crate) fn read(
    answer: &RawResponse,
    caller: &Caller,
    token: &BearerToken,
) -> Result<Credentials, ExchangeError> {
    if answer.status != 200 {
        return Err(read_error(answer, token));
    }
    let success: AssumeRoleOutput =
        serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    must_be_for(&success, caller)?;
    let user = AssumedRoleArn::parse(&success.assumed_role_user.arn).ok_or_else(unreadable)?;
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

/// Credentials for another ServiceAccount must not be served, even if a proxy or EKS Auth itself
/// mixed up the responses.
fn must_be_for(success: &AssumeRoleOutput, caller: &Caller) -> Result<(), ExchangeError> {
    let service_account = &caller.service_account;
    let same = success.subject.namespace == service_account.namespace()
        && success.subject.service_account == service_account.name()
        && caller.audiences.contains(&success.audience);
    let message = "EKS Auth returned credentials for another ServiceAccount; discarding them";
    same.then_some(()).ok_or_else(|| ExchangeError::transient("WrongSubject", message))
}

fn unreadable() -> ExchangeError {
    ExchangeError::transient("UnreadableAnswer", "EKS Auth returned no usable credentials")
}

fn seconds(number: f64) -> Option<Timestamp> {
    let whole = jiff::SignedDuration::try_from_secs_f64(number.floor()).ok()?;
    Timestamp::from_second(whole.as_secs()).ok()
}

fn read_error(answer: &RawResponse, token: &BearerToken) -> ExchangeError {
    let failure: ErrorOutput = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = &answer.error_code().unwrap_or_default();
    let error = classify(Exchange::EksAuth, answer.status, code, &failure.message);
    // An endpoint that echoes the request must not bring the token into the log.
    ExchangeError::new(error, &token.redact(code), &token.redact(&failure.message))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
