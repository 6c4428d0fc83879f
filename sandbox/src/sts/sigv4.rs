//! Signature Version 4, by its owner's crate: the request is signed again, and the signatures
//! compared.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_sigv4::{
    http_request::{
        SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
    },
    sign::v4,
};

use super::{
    Call,
    authorization::{Place, SignatureError, Signed},
};
use crate::sessions::Session;

/// What a presigned URL adds to its query, and the signer adds again.
const PRESIGNED: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
];
const TOKEN_HEADER: &str = "x-amz-security-token";

/// Whether two texts are the same, in a time that does not tell where they differ.
pub(crate) fn equal(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// The session's secret signed this very request.
pub(crate) fn check_signature(
    call: &Call<'_>,
    signed: &Signed,
    session: &Session,
) -> Result<(), SignatureError> {
    // A signature that binds no host could be carried to another service.
    if !signed.headers.iter().any(|name| name == "host") {
        return Err(SignatureError::Incomplete("the header host must be signed"));
    }
    let signature = sign_again(call, signed, session).ok_or(SignatureError::Mismatch)?;
    equal(&signature, &signed.signature).then_some(()).ok_or(SignatureError::Mismatch)
}

/// The signature that this session's secret gives this request; nothing for a request that cannot
/// be signed.
fn sign_again(call: &Call<'_>, signed: &Signed, session: &Session) -> Option<String> {
    let credentials = Credentials::new(
        &session.key_id,
        &session.secret,
        Some(session.token.clone()),
        None,
        "podrole-sandbox",
    );
    let identity = credentials.into();
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
    let body = SignableBody::Bytes(call.body);
    let request = SignableRequest::new(call.method, url(call, signed.place)?, headers, body);
    Some(sign(request.ok()?, &params).ok()?.signature().to_owned())
}

fn settings(signed: &Signed) -> SigningSettings {
    let mut settings = SigningSettings::default();
    // Exactly the headers that the client signed are given, so that none is left out again.
    settings.excluded_headers = None;
    match signed.place {
        Place::Headers => {
            let token_is_signed = signed.headers.iter().any(|name| name == TOKEN_HEADER);
            if !token_is_signed {
                settings.session_token_mode = SessionTokenMode::Exclude;
            }
        }
        Place::Query { expires } => {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(expires.into()));
        }
    }
    settings
}

/// The signed headers with their values; nothing when the request has not all of them.
fn headers<'a>(call: &'a Call<'_>, signed: &'a Signed) -> Option<Vec<(&'a str, String)>> {
    let mut headers = Vec::new();
    for name in &signed.headers {
        // HTTP/2 carries the host in the URL.
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

/// The URL to sign. Its host is never looked at: the header is.
fn url(call: &Call<'_>, place: Place) -> Option<String> {
    let path = call.uri.path();
    let query = match place {
        Place::Headers => call.query().to_owned(),
        Place::Query { .. } => {
            let pairs: Vec<(String, String)> = serde_urlencoded::from_str(call.query()).ok()?;
            let own = pairs.iter().filter(|(name, _)| !PRESIGNED.contains(&&**name));
            serde_urlencoded::to_string(own.collect::<Vec<_>>()).ok()?
        }
    };
    Some(format!("https://sts.invalid{path}?{query}"))
}

/// What a client would add to a request with that body: headers, or a query when presigned.
#[cfg(test)]
pub(crate) fn sign_as_client(
    session: &Session,
    (method, url, body): (&str, &str, &[u8]),
    (at, region, service): (jiff::Timestamp, &str, &str),
    place: Place,
) -> Vec<(String, String)> {
    let token = Some(session.token.clone());
    let identity = Credentials::new(&session.key_id, &session.secret, token, None, "test").into();
    let mut settings = SigningSettings::default();
    if let Place::Query { expires } = place {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(expires.into()));
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
    let body = SignableBody::Bytes(body);
    let request = SignableRequest::new(method, url, std::iter::empty(), body).unwrap();
    let (headers, query) = sign(request, &params).unwrap().into_parts().0.into_parts();
    let headers = headers.iter().map(|one| (one.name().to_owned(), one.value().to_owned()));
    let query = query.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned()));
    headers.chain(query).collect()
}
