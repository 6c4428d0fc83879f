//! The bodies of answers, in a form that every AWS SDK reads. Pure.

use axum::body::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{exchange::Credentials, refusal::Refusal};

/// Without a charset: the SDKs for Go and Kotlin do not parse errors of any other content type.
pub const CONTENT_TYPE: &str = "application/json";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SuccessBody<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    account_id: &'a str,
    expiration: String,
}

/// Both spellings, because SDKs differ in which one they read.
#[derive(Serialize)]
struct FailureBody<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(rename = "Code")]
    upper_code: &'a str,
    #[serde(rename = "Message")]
    upper_message: &'a str,
}

/// An error's status and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The HTTP status. SDKs give up after a 4xx and retry after a 503.
    pub status: u16,
    /// The body, in JSON.
    pub body: String,
}

/// The body that carries credentials. Its memory is wiped when the last clone is dropped.
#[must_use]
pub fn success(credentials: &Credentials) -> Bytes {
    let success = SuccessBody {
        access_key_id: &credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.expose(),
        token: credentials.session_token.expose(),
        account_id: credentials.role.account(),
        expiration: credentials.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    };
    // Large enough not to be reallocated: the memory that a growing buffer frees is not wiped.
    let mut json = Zeroizing::new(Vec::with_capacity(8192));
    // Strings always serialise. If they did not, SDKs would report the empty body as an error.
    let _ = serde_json::to_writer(&mut *json, &success);
    Bytes::from_owner(Zeroizing::new(json.to_vec()))
}

/// The answer to a refused request.
#[must_use]
pub fn refusal(refusal: &Refusal) -> ErrorAnswer {
    error(refusal.status(), refusal.code(), &refusal.to_string())
}

/// The answer for an error, with the code for programs and the message for people.
#[must_use]
pub fn error(status: u16, code: &str, message: &str) -> ErrorAnswer {
    let failure = FailureBody { code, message, upper_code: code, upper_message: message };
    let body = serde_json::to_string(&failure).unwrap_or_else(|_| "{}".to_owned());
    ErrorAnswer { status, body }
}

#[cfg(test)]
mod tests;
