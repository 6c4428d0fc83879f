//! Responses of injected faults, each in its operation's own format.

use std::io;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt as _, future::ready, stream};
use serde::Serialize;
use serde_json::json;

use super::{
    Rule,
    target::{ErrorFormat, FaultTarget},
};
use crate::{random, upstream};

const MESSAGE: &str = "This fault was injected";

#[derive(Serialize)]
#[serde(rename = "ErrorResponse", rename_all = "PascalCase")]
struct InjectedResponse<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    error: InjectedError<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase", rename = "Error")]
struct InjectedError<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    code: &'a str,
    message: &'a str,
}

/// The error code of a rule.
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
pub(crate) fn error(rule: &Rule, target: &FaultTarget) -> Response {
    let (code, status) = (code(rule), status(rule));
    let message = rule.message.as_deref().unwrap_or(MESSAGE);
    if let ErrorFormat::Passed(protocol) = target.format {
        return upstream::response::error(protocol, code, status.as_u16(), message);
    }
    let id = random::uuid().unwrap_or_default();
    let body = |r#type| InjectedError { r#type, code, message };
    let side = if status.is_server_error() { "Receiver" } else { "Sender" };
    let (kind, text) = match target.format {
        ErrorFormat::Query(namespace) => {
            let answer = InjectedResponse { namespace, error: body(Some(side)), request_id: &id };
            ("text/xml", quick_xml::se::to_string(&answer).unwrap_or_default())
        }
        ErrorFormat::S3 => {
            ("application/xml", quick_xml::se::to_string(&body(None)).unwrap_or_default())
        }
        ErrorFormat::Json | ErrorFormat::Passed(_) => {
            ("application/json", json!({"message": message}).to_string())
        }
    };
    let mut response = (status, [(header::CONTENT_TYPE, kind)], text).into_response();
    let headers = response.headers_mut();
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    headers.insert("x-amzn-requestid", value(&id));
    if target.format == ErrorFormat::Json {
        headers.insert("x-amzn-errortype", value(code));
    }
    response
}

/// A body that no client can parse.
pub(crate) fn garbage(rule: &Rule) -> Response {
    let status = StatusCode::from_u16(rule.status.unwrap_or(200)).unwrap_or(StatusCode::OK);
    (status, Bytes::from_static(b"<html>\xff\xfe<p>{\"not\": what you asked for")).into_response()
}

/// A body that fails before its first byte, so that the server drops the connection without a response.
pub(crate) fn reset() -> Response {
    Body::from_stream(stream::once(async { Err::<Bytes, _>(broken()) })).into_response()
}

/// The first half of a response, with the content length of the whole. It is streamed, because it can be
/// an object of gigabytes. If the length is unknown, half of the first chunk is sent.
pub(crate) fn halved(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = body.size_hint().exact();
    if let Some(whole) = whole {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole));
    }
    let half = body.into_data_stream().scan(whole.map(|whole| whole / 2), |left, piece| {
        let piece = piece.ok().and_then(|piece| {
            let left = left.get_or_insert(size(&piece) / 2);
            let taken = size(&piece).min(*left);
            *left -= taken;
            (taken > 0).then(|| piece.slice(..usize::try_from(taken).unwrap_or(piece.len())))
        });
        ready(piece.map(Ok))
    });
    // Yielding lets the server send the first half before it sees the error.
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(broken())
    });
    Response::from_parts(parts, Body::from_stream(half.chain(end)))
}

fn size(piece: &Bytes) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "this fault was injected")
}
