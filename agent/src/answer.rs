//! The answers' bodies. Pure; what every SDK reads, and nothing that one of them trips over.

use axum::body::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{exchange::Credentials, refusal::Refusal};

/// Exactly this: with a charset behind it, Go's and Kotlin's SDKs do not read errors.
pub const CONTENT_TYPE: &str = "application/json";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Success<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    account_id: &'a str,
    expiration: String,
}

/// Both spellings, because SDKs differ in the one they read.
#[derive(Serialize)]
struct Failure<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(rename = "Code")]
    upper_code: &'a str,
    #[serde(rename = "Message")]
    upper_message: &'a str,
}

/// An error as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The HTTP status: 4xx is final, 503 is tried again.
    pub status: u16,
    /// The JSON.
    pub body: String,
}

/// The body of a success. It is wiped when its last clone goes.
#[must_use]
pub fn success(credentials: &Credentials) -> Bytes {
    let success = Success {
        access_key_id: &credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.expose(),
        token: credentials.session_token.expose(),
        account_id: credentials.role.account(),
        expiration: credentials.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    };
    // Large enough not to move: what a growing buffer leaves behind is not wiped.
    let mut json = Zeroizing::new(Vec::with_capacity(8192));
    // Strings always serialise; an empty body would be an error to any SDK.
    let _ = serde_json::to_writer(&mut *json, &success);
    Bytes::from_owner(Zeroizing::new(json.to_vec()))
}

/// The answer to a request that gets nothing.
#[must_use]
pub fn refusal(refusal: &Refusal) -> ErrorAnswer {
    error(refusal.status(), refusal.code(), &refusal.to_string())
}

/// An error's answer.
#[must_use]
pub fn error(status: u16, code: &str, message: &str) -> ErrorAnswer {
    let failure = Failure { code, message, upper_code: code, upper_message: message };
    let body = serde_json::to_string(&failure).unwrap_or_else(|_| "{}".to_owned());
    ErrorAnswer { status, body }
}

#[cfg(test)]
mod tests;
