//! Signs calls again with the emulator's key, for emulators that verify signatures.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use axum::{body::Body, extract::Request};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts};
use jiff::Timestamp;

use super::{
    forward_error::ForwardError,
    verify::{VerifiedBody, VerifiedRequest},
};
use crate::signature::{
    authorization::{RequestSignature, SignaturePlacement},
    chunked::Decoded,
    payload::is_s3,
    sigv4,
};

/// The headers of the client's signature.
const SIGNATURE_HEADERS: [&str; 4] =
    ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
/// The headers of a chunked body.
const CHUNK_HEADERS: [&str; 3] =
    ["content-length", "x-amz-decoded-content-length", "x-amz-trailer"];

/// The key and the time to sign with.
pub(crate) struct Signer<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) at: Timestamp,
}

impl Signer<'_> {
    /// Signs the call again, for the same service and region.
    pub(crate) fn sign(
        &self,
        verified: VerifiedRequest,
        signed: &RequestSignature,
    ) -> Result<Request, ForwardError> {
        let VerifiedRequest { mut parts, content } = verified;
        parts.headers = headers(&parts, &content);
        parts.uri = uri(&parts.uri, signed.place).ok_or(ForwardError::Unwritable)?;
        let added = self.signature(&parts, &content, signed).ok_or(ForwardError::Unwritable)?;
        parts.headers.extend(added);
        let body = match content {
            VerifiedBody::Whole(bytes) => Body::from(bytes),
            VerifiedBody::Decoded(decoded) => Body::from(decoded.data),
            VerifiedBody::Stream(body) => body,
        };
        Ok(Request::from_parts(parts, body))
    }

    fn signature(
        &self,
        parts: &Parts,
        content: &VerifiedBody,
        signed: &RequestSignature,
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let identity = Credentials::new(self.id, self.secret, None, None, "podrole-sandbox").into();
        let s3 = is_s3(&signed.scope.service);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&signed.scope.region)
            .name(&signed.scope.service)
            .time(SystemTime::from(self.at))
            .settings(settings(s3, content))
            .build()
            .ok()?
            .into();
        let body = match content {
            VerifiedBody::Whole(bytes) | VerifiedBody::Decoded(Decoded { data: bytes, .. }) => {
                SignableBody::Bytes(bytes)
            }
            VerifiedBody::Stream(_) => SignableBody::UnsignedPayload,
        };
        let path = parts.uri.path();
        let path = if s3 { sigv4::s3_path(path) } else { path.to_owned() };
        let url = format!("https://signed.invalid{path}?{}", parts.uri.query().unwrap_or_default());
        let headers = signable(&parts.headers);
        let request = SignableRequest::new(parts.method.as_str(), url, headers, body).ok()?;
        let (instructions, _) = sign(request, &params).ok()?.into_parts();
        let header = |(name, value): (&str, &str)| Some((name.parse().ok()?, value.parse().ok()?));
        instructions.headers().map(header).collect()
    }
}

fn settings(s3: bool, content: &VerifiedBody) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if s3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    // Without this header, the emulator would compute the hash from the body.
    if s3 || matches!(content, VerifiedBody::Stream(_)) {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

/// The client's headers without those of its signature, and without those of chunks if they were decoded.
fn headers(parts: &Parts, content: &VerifiedBody) -> HeaderMap {
    let mut headers = parts.headers.clone();
    for name in SIGNATURE_HEADERS {
        headers.remove(name);
    }
    if let VerifiedBody::Decoded(decoded) = content {
        for name in CHUNK_HEADERS {
            headers.remove(name);
        }
        unchunk(&mut headers);
        headers.extend(decoded.trailers.iter().filter_map(checksum));
    }
    headers
}

/// Removes `aws-chunked` from the content encodings.
fn unchunk(headers: &mut HeaderMap) {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encodings = encodings.filter_map(|value| value.to_str().ok());
    let encodings = encodings.flat_map(|value| value.split(',')).map(str::trim);
    let rest: Vec<&str> =
        encodings.filter(|one| !one.is_empty() && *one != "aws-chunked").collect();
    let rest = HeaderValue::from_str(&rest.join(", ")).ok().filter(|rest| !rest.is_empty());
    match rest {
        Some(rest) => drop(headers.insert(header::CONTENT_ENCODING, rest)),
        None => drop(headers.remove(header::CONTENT_ENCODING)),
    }
}

/// Turns a checksum in the trailers into a header.
fn checksum((name, value): &(String, String)) -> Option<(HeaderName, HeaderValue)> {
    let name = name.strip_prefix("x-amz-checksum-").map(|_| name)?;
    Some((name.parse().ok()?, value.parse().ok()?))
}

fn uri(uri: &Uri, place: SignaturePlacement) -> Option<Uri> {
    let SignaturePlacement::Query { .. } = place else {
        return Some(uri.clone());
    };
    let query = sigv4::without_signature(uri.query().unwrap_or_default())?;
    let path = uri.path();
    if query.is_empty() { path.parse().ok() } else { format!("{path}?{query}").parse().ok() }
}

/// The headers to sign: the host, and those that a service may act on.
fn signable(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let signed = |name: &str| {
        name == "host"
            || name == "content-type"
            || name == "content-md5"
            || name.starts_with("x-amz-")
    };
    let headers = headers.iter().filter(move |(name, _)| signed(name.as_str()));
    headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

#[cfg(test)]
mod tests;
