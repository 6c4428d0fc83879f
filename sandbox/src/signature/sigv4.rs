//! Verifies Signature Version 4: signs the request again with AWS's own crate, and compares the signatures.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation,
        SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::{
    authorization::{RequestSignature, SignatureError, SignaturePlacement},
    equal::equal,
    key::CallerKey,
    payload,
};
use crate::call::Call;

/// The query parameters of a presigned URL, which the signer adds again.
const PRESIGNED: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
];
/// The characters that S3 encodes in an object's key: all but letters, digits, `-._~` and the slash.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const TOKEN_HEADER: &str = "x-amz-security-token";

/// Checks that the key signed this request, including its whole body.
pub(crate) fn check_signature(
    call: &Call<'_>,
    signed: &RequestSignature,
    key: impl Into<CallerKey>,
) -> Result<(), SignatureError> {
    check(call, signed, &key.into(), SignableBody::Bytes(call.body))
}

/// Checks that the key signed this request, with `payload` in place of the body's hash.
pub(crate) fn check_head(
    call: &Call<'_>,
    signed: &RequestSignature,
    key: &CallerKey,
    payload: &str,
) -> Result<(), SignatureError> {
    check(call, signed, key, SignableBody::Precomputed(payload.to_owned()))
}

fn check(
    call: &Call<'_>,
    signed: &RequestSignature,
    key: &CallerKey,
    body: SignableBody<'_>,
) -> Result<(), SignatureError> {
    // Without the host, the signature could be replayed at another service.
    if !signed.headers.iter().any(|name| name == "host") {
        return Err(SignatureError::Incomplete("the header host must be signed"));
    }
    let signature = sign_again(call, signed, key, body).ok_or(SignatureError::Mismatch)?;
    equal(&signature, &signed.signature).then_some(()).ok_or(SignatureError::Mismatch)
}

/// Signs the request with this key. `None` if the request cannot be signed.
fn sign_again(
    call: &Call<'_>,
    signed: &RequestSignature,
    key: &CallerKey,
    body: SignableBody<'_>,
) -> Option<String> {
    let identity = identity(key);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&signed.scope.region)
        .name(&signed.scope.service)
        .time(SystemTime::from(signed.at))
        .settings(settings(signed))
        .build()
        .ok()?
        .into();
    let headers = headers(call, signed)?;
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let request = SignableRequest::new(call.method, url(call, signed)?, headers, body);
    Some(sign(request.ok()?, &params).ok()?.signature().to_owned())
}

/// The key in the signer's type.
pub(crate) fn identity(key: &CallerKey) -> Identity {
    Credentials::new(&key.id, &key.secret, key.token.clone(), None, "podrole-sandbox").into()
}

fn settings(signed: &RequestSignature) -> SigningSettings {
    let mut settings = SigningSettings::default();
    // The client chose the signed headers: the signer must not exclude any of them.
    settings.excluded_headers = None;
    if payload::is_s3(&signed.scope.service) {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    match signed.place {
        SignaturePlacement::Headers => {
            let token_is_signed = signed.headers.iter().any(|name| name == TOKEN_HEADER);
            if !token_is_signed {
                settings.session_token_mode = SessionTokenMode::Exclude;
            }
        }
        SignaturePlacement::Query { expires } => {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(expires.into()));
        }
    }
    settings
}

/// The signed headers with their values. `None` if the request does not have all of them.
fn headers<'a>(call: &'a Call<'_>, signed: &'a RequestSignature) -> Option<Vec<(&'a str, String)>> {
    let mut headers = Vec::new();
    for name in &signed.headers {
        // In HTTP/2 the host is in the URL.
        if name == "host" && !call.headers.contains_key("host") {
            headers.push((name.as_str(), call.uri.authority()?.to_string()));
            continue;
        }
        call.headers.get(name)?;
        for value in call.headers.get_all(name) {
            headers.push((name.as_str(), value.to_str().ok()?.to_owned()));
        }
    }
    Some(headers)
}

/// The URL to sign. Its host is irrelevant, because the Host header is signed.
fn url(call: &Call<'_>, signed: &RequestSignature) -> Option<String> {
    let path = match payload::is_s3(&signed.scope.service) {
        true => s3_path(call.uri.path()),
        false => call.uri.path().to_owned(),
    };
    let query = match signed.place {
        SignaturePlacement::Headers => call.query().to_owned(),
        SignaturePlacement::Query { .. } => without_signature(call.query())?,
    };
    Some(format!("https://signed.invalid{path}?{query}"))
}

/// A query without the parameters of presigning.
pub(crate) fn without_signature(query: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    let own = pairs.iter().filter(|(name, _)| !PRESIGNED.contains(&&**name));
    serde_urlencoded::to_string(own.collect::<Vec<_>>()).ok()
}

/// An object's path as S3 signs it: decoded, and encoded once in S3's way, however the client encoded it.
pub(crate) fn s3_path(path: &str) -> String {
    percent_encode(&percent_decode_str(path).collect::<Vec<u8>>(), KEY).to_string()
}

/// Signs a request as a client does. Returns the headers to add, or the query parameters if presigned.
#[cfg(test)]
pub(crate) fn sign_as_client(
    key: impl Into<CallerKey>,
    (method, url, body): (&str, &str, &[u8]),
    (at, region, service): (jiff::Timestamp, &str, &str),
    place: SignaturePlacement,
) -> Vec<(String, String)> {
    let identity = identity(&key.into());
    let mut settings = SigningSettings::default();
    if let SignaturePlacement::Query { expires } = place {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(expires.into()));
    }
    let s3 = payload::is_s3(service);
    if s3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = aws_sigv4::http_request::PayloadChecksumKind::XAmzSha256;
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::from(at))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let body = match place {
        SignaturePlacement::Query { .. } if s3 => SignableBody::UnsignedPayload,
        _ => SignableBody::Bytes(body),
    };
    let request = SignableRequest::new(method, url, std::iter::empty(), body).unwrap();
    let (headers, query) = sign(request, &params).unwrap().into_parts().0.into_parts();
    let headers = headers.iter().map(|one| (one.name().to_owned(), one.value().to_owned()));
    let query = query.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned()));
    headers.chain(query).collect()
}
