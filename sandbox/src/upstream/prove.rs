//! Who signed a call, and whether it is the one that they signed. Of a body that is signed nothing
//! is passed on before all of it is proved; one that nobody signed flows through.

use axum::{
    body::{Body, Bytes},
    extract::Request,
};
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;

use super::refusal::Refusal;
use crate::{
    call::Call,
    random,
    signature::{
        authorization::{Place, SignatureError, Signed},
        chain::Chain,
        chunked::{self, Declared, Decoded},
        equal::equal,
        key::Key,
        payload::Payload,
        sigv4,
    },
};

/// A call whose signature is right.
pub(crate) struct Proved {
    pub(crate) parts: Parts,
    pub(crate) content: Content,
}

/// What follows the head.
pub(crate) enum Content {
    Whole(Bytes),
    /// It came in chunks, and was put together again.
    Decoded(Decoded),
    Stream(Body),
}

/// The key that a call names, if that is good and the call's head is in order.
pub(crate) fn key(
    call: &Call<'_>,
    signed: &Signed,
    find: impl Fn(&str) -> Option<Key>,
    now: Timestamp,
) -> Result<Key, Refusal> {
    let key = find(&signed.scope.key_id).ok_or(SignatureError::UnknownKey)?;
    key.check_token(signed)?;
    signed.check_day()?;
    signed.check_time(now).map_err(|fault| old(fault, signed.place))?;
    signed.check_headers(call)?;
    key.check_expiry(now)?;
    Ok(key)
}

/// AWS has another code for a URL that has lived its life than for a clock that is wrong.
fn old(fault: SignatureError, place: Place) -> Refusal {
    match (fault, place) {
        (SignatureError::Old, Place::Query { .. }) => Refusal::UrlExpired,
        (fault, _) => fault.into(),
    }
}

/// Proves a call with its body. `decode`: a body that came in chunks is put together again.
pub(crate) async fn body(
    request: Request,
    signed: &Signed,
    key: &Key,
    limit: usize,
    decode: bool,
) -> Result<Proved, Refusal> {
    let (parts, body) = request.into_parts();
    let payload = Payload::read(&call(&parts, &[]), signed)?;
    // Strangers shall not make us keep a body: what can be proved without it is proved first.
    if let Some(text) = payload.text() {
        sigv4::check_head(&call(&parts, &[]), signed, key, text)?;
    }
    let streams = match payload {
        Payload::Unsigned => true,
        Payload::Chunked { signed: false, .. } => !decode,
        _ => false,
    };
    if streams {
        return Ok(Proved { parts, content: Content::Stream(body) });
    }
    let body = read(body, limit).await?;
    let content = content(&parts, body, &payload, signed, key)?;
    let content = match content {
        (_, Some(decoded)) if decode => Content::Decoded(decoded),
        (raw, _) => Content::Whole(raw),
    };
    Ok(Proved { parts, content })
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let read = Limited::new(body, limit).collect().await;
    read.map(http_body_util::Collected::to_bytes).map_err(|fault| {
        if fault.is::<LengthLimitError>() { Refusal::TooLarge(limit) } else { Refusal::Unread }
    })
}

/// The body as it came, if it is the one that was signed; and put together, if it came in chunks.
fn content(
    parts: &Parts,
    body: Bytes,
    payload: &Payload,
    signed: &Signed,
    key: &Key,
) -> Result<(Bytes, Option<Decoded>), Refusal> {
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
    signed: &Signed,
    key: &Key,
) -> Result<Decoded, Refusal> {
    let head = call(parts, &[]);
    let length = head.header("x-amz-decoded-content-length");
    let declared = Declared {
        length: length.and_then(|length| length.parse().ok()),
        trailers: head.header("x-amz-trailer"),
    };
    let identity = sigv4::identity(key);
    let chain = match payload {
        Payload::Chunked { signed: true, .. } => {
            Some(Chain::new(signed, &identity).ok_or(SignatureError::Mismatch)?)
        }
        _ => None,
    };
    Ok(chunked::decode(body, payload, &declared, chain)?)
}

fn call<'a>(parts: &'a Parts, body: &'a [u8]) -> Call<'a> {
    Call { method: parts.method.as_str(), uri: &parts.uri, headers: &parts.headers, body }
}

impl Proved {
    /// The call as it came.
    pub(crate) fn unchanged(self) -> Request {
        let body = match self.content {
            Content::Whole(bytes) => Body::from(bytes),
            Content::Decoded(decoded) => Body::from(decoded.data),
            Content::Stream(body) => body,
        };
        Request::from_parts(self.parts, body)
    }
}

#[cfg(test)]
mod tests;
