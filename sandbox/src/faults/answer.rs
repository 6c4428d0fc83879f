//! Spoiled answers, each in its operation's own format.

use std::io;

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::json;

use super::{
    Rule,
    asked::{Asked, Format},
};
use crate::random;

const MESSAGE: &str = "This fault was asked for";
/// An answer that is longer is not read into memory to be cut.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorResponse<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    error: ErrorBody<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase", rename = "Error")]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    code: &'a str,
    message: &'a str,
}

/// The code that a rule answers with.
pub(crate) fn code(rule: &Rule) -> &str {
    rule.code.as_deref().unwrap_or(match rule.status {
        Some(401 | 403) => "AccessDenied",
        Some(404) => "ResourceNotFoundException",
        Some(429) => "Throttling",
        Some(503) => "ServiceUnavailable",
        Some(400..=499) => "ValidationError",
        _ => "InternalFailure",
    })
}

fn status(rule: &Rule) -> StatusCode {
    let status = rule.status.unwrap_or(match rule.code.as_deref() {
        Some(
            "AccessDenied" | "AccessDeniedException" | "ExpiredToken" | "InvalidClientTokenId",
        ) => 403,
        Some("InternalFailure" | "InternalServerException") => 500,
        Some("ServiceUnavailable" | "ServiceUnavailableException") => 503,
        Some("ThrottlingException") => 429,
        _ => 400,
    });
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An error with the rule's code and status.
pub(crate) fn error(rule: &Rule, asked: &Asked) -> Response {
    let (code, status) = (code(rule), status(rule));
    let message = rule.message.as_deref().unwrap_or(MESSAGE);
    let id = random::uuid().unwrap_or_default();
    let body = |r#type| ErrorBody { r#type, code, message };
    let side = if status.is_server_error() { "Receiver" } else { "Sender" };
    let (kind, text) = match asked.format {
        Format::Query(namespace) => {
            let answer = ErrorResponse { namespace, error: body(Some(side)), request_id: &id };
            ("text/xml", quick_xml::se::to_string(&answer).unwrap_or_default())
        }
        Format::S3 => {
            ("application/xml", quick_xml::se::to_string(&body(None)).unwrap_or_default())
        }
        Format::Json => ("application/json", json!({"message": message}).to_string()),
    };
    let mut response = (status, [(header::CONTENT_TYPE, kind)], text).into_response();
    let headers = response.headers_mut();
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    headers.insert("x-amzn-requestid", value(&id));
    if asked.format == Format::Json {
        headers.insert("x-amzn-errortype", value(code));
    }
    response
}

/// What no client can read.
pub(crate) fn garbage(rule: &Rule) -> Response {
    let status = StatusCode::from_u16(rule.status.unwrap_or(200)).unwrap_or(StatusCode::OK);
    (status, Bytes::from_static(b"<html>\xff\xfe<p>{\"not\": what you asked for")).into_response()
}

/// A body that fails before its first byte: the server drops the connection and has said nothing.
pub(crate) fn reset() -> Response {
    Body::from_stream(stream::once(async { Err::<Bytes, _>(broken()) })).into_response()
}

/// The first half of the answer, under the length of the whole.
pub(crate) async fn halved(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = to_bytes(body, MAX_ANSWER).await else {
        return reset();
    };
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    // The pause lets the server send the half before it learns that there is no more.
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(broken())
    });
    let body = Body::from_stream(stream::iter([Ok(half)]).chain(end));
    Response::from_parts(parts, body)
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "this fault was asked for")
}
