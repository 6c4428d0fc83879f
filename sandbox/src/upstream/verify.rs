//! Verifies a call for the emulator. A signed body is read and verified before any of it is passed on. An
//! unsigned body is streamed.

use axum::{
    body::{Body, Bytes},
    extract::Request,
};
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;

use super::forward_error::ForwardError;
use crate::{
    call::Call,
    random,
    signature::{
        authorization::{RequestSignature, SignatureError, SignaturePlacement},
        chain::SignatureChain,
        chunked::{self, Declared, Decoded},
        equal::equal,
        key::CallerKey,
        payload::Payload,
        sigv4,
    },
};

/// A call whose signature was verified.
pub(crate) struct VerifiedRequest {
    pub(crate) parts: Parts,
    pub(crate) content: VerifiedBody,
}

/// The body of a verified call.
pub(crate) enum VerifiedBody {
    Whole(Bytes),
    /// It was in chunks, and was decoded.
    Decoded(Decoded),
    Stream(Body),
}

/// The key that a call names, after the checks of the key and the call's headers.
pub(crate) fn key(
    call: &Call<'_>,
    signed: &RequestSignature,
    find: impl Fn(&RequestSignature) -> Result<CallerKey, SignatureError>,
    now: Timestamp,
) -> Result<CallerKey, ForwardError> {
    let key = find(signed)?;
    key.check_token(signed)?;
    signed.check_day()?;
    signed.check_time(now).map_err(|error| old(error, signed.place))?;
    signed.check_headers(call)?;
    key.check_expiry(now)?;
    Ok(key)
}

/// AWS has different codes for an expired presigned URL and for clock skew.
fn old(error: SignatureError, place: SignaturePlacement) -> ForwardError {
    match (error, place) {
        (SignatureError::Old, SignaturePlacement::Query { .. }) => ForwardError::UrlExpired,
        (error, _) => error.into(),
    }
}

/// Verifies a call with its body. With `decode` a chunked body is decoded.
pub(crate) async fn body(
    request: Request,
    signed: &RequestSignature,
    key: &CallerKey,
    limit: usize,
    decode: bool,
) -> Result<VerifiedRequest, ForwardError> {
    let (parts, body) = request.into_parts();
    let payload = Payload::read(&call(&parts, &[]), signed)?;
    // Verify the headers before the body is read, so that strangers cannot make us buffer bodies.
    if let Some(text) = payload.text() {
        sigv4::check_head(&call(&parts, &[]), signed, key, text)?;
    }
    let streams = match payload {
        Payload::Unsigned => true,
        Payload::Chunked { signed: false, .. } => !decode,
        _ => false,
    };
    if streams {
        return Ok(VerifiedRequest { parts, content: VerifiedBody::Stream(body) });
    }
    let body = read(body, limit).await?;
    let content = content(&parts, body, &payload, signed, key)?;
    let content = match content {
        (_, Some(decoded)) if decode => VerifiedBody::Decoded(decoded),
        (raw, _) => VerifiedBody::Whole(raw),
    };
    Ok(VerifiedRequest { parts, content })
}

async fn read(body: Body, limit: usize) -> Result<Bytes, ForwardError> {
    let read = Limited::new(body, limit).collect().await;
    read.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            ForwardError::TooLarge(limit)
        } else {
            ForwardError::Unread
        }
    })
}

/// Verifies the body. Returns it unchanged, and decoded if it was in chunks.
fn content(
    parts: &Parts,
    body: Bytes,
    payload: &Payload,
    signed: &RequestSignature,
    key: &CallerKey,
) -> Result<(Bytes, Option<Decoded>), ForwardError> {
    match payload {
        Payload::Whole => {
            let call = call(parts, &body);
            signed.check_body(&call)?;
            sigv4::check_signature(&call, signed, key.clone())?;
        }
        Payload::Hash(hash) if !equal(hash, &random::sha256_hex(&body)) => {
            return Err(SignatureError::Body.into());
        }
        Payload::Hash(_) | Payload::Unsigned => {}
        Payload::Chunked { .. } => {
            let decoded = decoded(parts, &body, payload, signed, key)?;
            return Ok((body, Some(decoded)));
        }
    }
    Ok((body, None))
}

fn decoded(
    parts: &Parts,
    body: &Bytes,
    payload: &Payload,
    signed: &RequestSignature,
    key: &CallerKey,
) -> Result<Decoded, ForwardError> {
    let head = call(parts, &[]);
    let length = head.header("x-amz-decoded-content-length");
    let declared = Declared {
        length: length.and_then(|length| length.parse().ok()),
        trailers: head.header("x-amz-trailer"),
    };
    let identity = sigv4::identity(key);
    let chain = match payload {
        Payload::Chunked { signed: true, .. } => {
            Some(SignatureChain::new(signed, &identity).ok_or(SignatureError::Mismatch)?)
        }
        _ => None,
    };
    Ok(chunked::decode(body, payload, &declared, chain)?)
}

fn call<'a>(parts: &'a Parts, body: &'a [u8]) -> Call<'a> {
    Call { method: parts.method.as_str(), uri: &parts.uri, headers: &parts.headers, body }
}

impl VerifiedRequest {
    /// The call with the client's signature.
    pub(crate) fn unchanged(self) -> Request {
        let body = match self.content {
            VerifiedBody::Whole(bytes) => Body::from(bytes),
            VerifiedBody::Decoded(decoded) => Body::from(decoded.data),
            VerifiedBody::Stream(body) => body,
        };
        Request::from_parts(self.parts, body)
    }
}

#[cfg(test)]
mod tests;
