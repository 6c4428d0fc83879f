//! Error responses in the protocol of the called service.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;

use super::{forward_error::ForwardError, protocol::Protocol};
use crate::random;

const QUERY_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const S3_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const SMITHY: HeaderName = HeaderName::from_static("smithy-protocol");

#[derive(Serialize)]
#[serde(rename = "Error", rename_all = "PascalCase")]
struct S3Error<'a> {
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename = "ErrorResponse", rename_all = "PascalCase")]
struct QueryErrorResponse<'a> {
    error: QueryError<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueryError<'a> {
    r#type: &'a str,
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename = "Response", rename_all = "PascalCase")]
struct Ec2Response<'a> {
    errors: Ec2Errors<'a>,
    #[serde(rename = "RequestID")]
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ec2Errors<'a> {
    error: Ec2Error<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ec2Error<'a> {
    code: &'a str,
    message: &'a str,
}

/// The response to a call that is not passed on.
pub(crate) fn of(error: &ForwardError, protocol: Protocol) -> Response {
    let (code, status) = error.code(protocol);
    self::error(protocol, code, status, &error.message(protocol))
}

/// An error response in a protocol's format.
pub(crate) fn error(protocol: Protocol, code: &str, status: u16, message: &str) -> Response {
    // A missing request id does not matter to clients.
    let id = random::uuid().unwrap_or_default();
    let body = body(protocol, code, message, status, &id);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(protocol)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if protocol == Protocol::RestJson {
        headers.extend(HeaderValue::from_str(code).ok().map(|code| (ERROR_TYPE, code)));
    }
    if protocol == Protocol::Cbor {
        headers.insert(SMITHY, HeaderValue::from_static("rpc-v2-cbor"));
    }
    let name = if protocol == Protocol::S3 { S3_ID } else { QUERY_ID };
    headers.extend(HeaderValue::from_str(&id).ok().map(|id| (name, id)));
    response
}

fn kind(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::S3 => "application/xml",
        Protocol::Query | Protocol::Ec2 => "text/xml",
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::RestJson => "application/json",
        Protocol::Cbor => "application/cbor",
    }
}

fn body(protocol: Protocol, code: &str, message: &str, status: u16, id: &str) -> Vec<u8> {
    let message = legal(message);
    let message = message.as_str();
    match protocol {
        Protocol::S3 => xml(&S3Error { code, message, request_id: id }),
        Protocol::Query => {
            let r#type = if status < 500 { "Sender" } else { "Receiver" };
            xml(&QueryErrorResponse { error: QueryError { r#type, code, message }, request_id: id })
        }
        Protocol::Ec2 => {
            let errors = Ec2Errors { error: Ec2Error { code, message } };
            xml(&Ec2Response { errors, request_id: id })
        }
        Protocol::Json => {
            serde_json::json!({"__type": code, "message": message}).to_string().into_bytes()
        }
        Protocol::RestJson => serde_json::json!({"message": message}).to_string().into_bytes(),
        Protocol::Cbor => cbor(&[("__type", code), ("message", message)]),
    }
}

fn xml<T: Serialize>(error: &T) -> Vec<u8> {
    let text = quick_xml::se::to_string(error).unwrap_or_default();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}").into_bytes()
}

/// Encodes a map of strings, each with a length of two bytes.
fn cbor(pairs: &[(&str, &str)]) -> Vec<u8> {
    const TEXT: u8 = 0x79;
    // Maps of up to 23 pairs have their size in the first byte.
    let mut bytes = vec![0xa0 | u8::try_from(pairs.len()).unwrap_or_default()];
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        let length = u16::try_from(text.len()).unwrap_or_default();
        bytes.push(TEXT);
        bytes.extend(length.to_be_bytes());
        bytes.extend(&text.as_bytes()[..length.into()]);
    }
    bytes
}

/// Removes the characters that XML does not allow even when escaped.
fn legal(text: &str) -> String {
    let legal = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().filter(legal).take(1000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cbor_is_a_map_of_texts() {
        assert_eq!(cbor(&[("a", "xy")]), [0xa1, 0x79, 0, 1, b'a', 0x79, 0, 2, b'x', b'y']);
    }

    #[test]
    fn a_message_is_escaped() {
        let body = body(Protocol::S3, "C", "<&>\u{0}", 400, "id");
        let wanted = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>C</Code>\
                      <Message>&lt;&amp;&gt;</Message><RequestId>id</RequestId></Error>";
        assert_eq!(String::from_utf8(body).unwrap(), wanted);
    }
}
