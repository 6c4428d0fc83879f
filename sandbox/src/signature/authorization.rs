//! The signature in a request's headers or query, and the checks that do not need the key.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::equal::equal;
use crate::{call::Call, random};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SKEW: SignedDuration = SignedDuration::from_mins(15);
/// AWS's own headers that need not be signed: they are verified in another way, or SDKs leave them unsigned
/// in presigned URLs.
const UNSIGNED: [&str; 4] =
    ["x-amz-checksum-mode", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent"];
/// Seconds: a presigned URL is valid for up to a week.
const MAX_EXPIRES: u32 = 604_800;

/// A request's signature, parsed and not yet verified.
pub(crate) struct RequestSignature {
    pub(crate) scope: CredentialScope,
    /// Lower-case names.
    pub(crate) headers: Vec<String>,
    pub(crate) signature: String,
    pub(crate) at: Timestamp,
    pub(crate) session_token: Option<String>,
    pub(crate) place: SignaturePlacement,
}

/// The credential scope: `<key id>/<yyyymmdd>/<region>/<service>/aws4_request`.
#[derive(Debug)]
pub(crate) struct CredentialScope {
    pub(crate) key_id: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Where the signature was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignaturePlacement {
    Headers,
    /// In a presigned URL that is valid for `expires` seconds.
    Query {
        expires: u32,
    },
}

/// Why a signed request is rejected. The text goes to the caller, and `detail` to the decision log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("Request is missing Authentication Token")]
    Missing,
    #[error("The request signature does not conform to AWS standards: {0}")]
    Incomplete(&'static str),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("The security token included in the request is invalid.")]
    SessionToken,
    #[error("The security token included in the request is invalid.")]
    ForeignToken,
    #[error("Credential should be scoped to the service that is called.")]
    Service,
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
    )]
    Date,
    #[error("Signature expired: it is more than 15 minutes old, or the presigned URL has expired")]
    Old,
    #[error("Signature not yet current: it is more than 15 minutes in the future")]
    Early,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Body,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    #[error("The security token included in the request is expired")]
    Expired,
    #[error("There were headers present in the request which were not signed: {0}")]
    NotSigned(String),
    #[error("Missing required header for this request: x-amz-content-sha256")]
    NoHash,
    #[error(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
    )]
    BadHash,
}

impl SignatureError {
    pub(crate) fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Missing => ("MissingAuthenticationToken", 403),
            Self::Incomplete(_) => ("IncompleteSignature", 400),
            Self::UnknownKey | Self::SessionToken | Self::ForeignToken => {
                ("InvalidClientTokenId", 403)
            }
            Self::Expired => ("ExpiredToken", 403),
            _ => ("SignatureDoesNotMatch", 403),
        }
    }

    /// The reason for the decision log, which the caller does not see.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::UnknownKey => "no credentials with this key id exist in this sandbox".to_owned(),
            Self::SessionToken => "the session token does not belong to this key id".to_owned(),
            Self::ForeignToken => "the session token is from a sandbox with another session key; \
                                   get credentials again"
                .to_owned(),
            Self::Body => "the body does not have the hash in x-amz-content-sha256".to_owned(),
            Self::Mismatch => "the signature is for another request or from another key".to_owned(),
            other => other.to_string(),
        }
    }
}

impl RequestSignature {
    /// Parses a request's signature.
    pub(crate) fn read(call: &Call<'_>) -> Result<Self, SignatureError> {
        if let Some(header) = call.header("authorization") {
            return Self::from_header(header, call);
        }
        let query: BTreeMap<String, String> =
            serde_urlencoded::from_str(call.query()).unwrap_or_default();
        if query.contains_key("X-Amz-Signature") {
            return Self::from_query(&query);
        }
        Err(SignatureError::Missing)
    }

    fn from_header(header: &str, call: &Call<'_>) -> Result<Self, SignatureError> {
        let rest = header.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' '));
        let rest =
            rest.ok_or(SignatureError::Incomplete("the algorithm must be AWS4-HMAC-SHA256"))?;
        let parts = rest.split(',').filter_map(|part| part.trim().split_once('='));
        let parts: BTreeMap<_, _> = parts.collect();
        let part = |name, error| parts.get(name).copied().ok_or(SignatureError::Incomplete(error));
        let date = call.header("x-amz-date");
        let date = date.ok_or(SignatureError::Incomplete("it needs the header X-Amz-Date"))?;
        Ok(Self {
            scope: CredentialScope::read(part("Credential", "it needs 'Credential'")?)?,
            headers: names(part("SignedHeaders", "it needs 'SignedHeaders'")?),
            signature: part("Signature", "it needs 'Signature'")?.to_owned(),
            at: time(date)?,
            session_token: call.header("x-amz-security-token").map(str::to_owned),
            place: SignaturePlacement::Headers,
        })
    }

    fn from_query(query: &BTreeMap<String, String>) -> Result<Self, SignatureError> {
        let part = |name, error| {
            let part = query.get(name).map(String::as_str);
            part.ok_or(SignatureError::Incomplete(error))
        };
        if part("X-Amz-Algorithm", "it needs X-Amz-Algorithm")? != ALGORITHM {
            return Err(SignatureError::Incomplete("the algorithm must be AWS4-HMAC-SHA256"));
        }
        let expires = part("X-Amz-Expires", "it needs X-Amz-Expires")?.parse().ok();
        let expires = expires.filter(|seconds| *seconds <= MAX_EXPIRES);
        let expires =
            expires.ok_or(SignatureError::Incomplete("X-Amz-Expires is 0 to 604800 seconds"))?;
        Ok(Self {
            scope: CredentialScope::read(part("X-Amz-Credential", "it needs X-Amz-Credential")?)?,
            headers: names(part("X-Amz-SignedHeaders", "it needs X-Amz-SignedHeaders")?),
            signature: part("X-Amz-Signature", "it needs X-Amz-Signature")?.to_owned(),
            at: time(part("X-Amz-Date", "it needs X-Amz-Date")?)?,
            session_token: query.get("X-Amz-Security-Token").cloned(),
            place: SignaturePlacement::Query { expires },
        })
    }

    /// Checks that the signature is for that service.
    pub(crate) fn check_service(&self, service: &str) -> Result<(), SignatureError> {
        (self.scope.service == service).then_some(()).ok_or(SignatureError::Service)
    }

    /// Checks that the credential scope has the date of the request.
    pub(crate) fn check_day(&self) -> Result<(), SignatureError> {
        let day = self.at.strftime("%Y%m%d").to_string();
        (self.scope.date == day).then_some(()).ok_or(SignatureError::Date)
    }

    /// Checks that the request is at most 15 minutes old or in the future. A presigned URL is valid for as
    /// long as it says.
    pub(crate) fn check_time(&self, now: Timestamp) -> Result<(), SignatureError> {
        let age = now.duration_since(self.at);
        let life = match self.place {
            SignaturePlacement::Headers => SKEW,
            SignaturePlacement::Query { expires } => SignedDuration::from_secs(expires.into()),
        };
        if age > life {
            return Err(SignatureError::Old);
        }
        (age >= -SKEW).then_some(()).ok_or(SignatureError::Early)
    }

    /// Checks that AWS's own headers are signed: others could have been added on the way.
    pub(crate) fn check_headers(&self, call: &Call<'_>) -> Result<(), SignatureError> {
        let own = call.headers.keys().map(http::HeaderName::as_str);
        let mut own = own.filter(|name| name.starts_with("x-amz-") && !UNSIGNED.contains(name));
        let stray = own.find(|name| !self.headers.iter().any(|signed| signed == name));
        stray.map_or(Ok(()), |name| Err(SignatureError::NotSigned(name.to_owned())))
    }

    /// Checks the body's hash, if the client sent it.
    pub(crate) fn check_body(&self, call: &Call<'_>) -> Result<(), SignatureError> {
        let Some(hash) = call.header("x-amz-content-sha256") else {
            return Ok(());
        };
        equal(hash, &random::sha256_hex(call.body)).then_some(()).ok_or(SignatureError::Body)
    }
}

impl CredentialScope {
    fn read(text: &str) -> Result<Self, SignatureError> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [key_id, date, region, service, "aws4_request"] => Ok(Self {
                key_id: key_id.to_owned(),
                date: date.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            }),
            _ => Err(SignatureError::Incomplete(
                "Credential must be <key id>/<date>/<region>/<service>/aws4_request",
            )),
        }
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(';').map(str::to_lowercase).collect()
}

fn time(text: &str) -> Result<Timestamp, SignatureError> {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok();
    let time = time.and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    time.map(|time| time.timestamp())
        .ok_or(SignatureError::Incomplete("X-Amz-Date must be of the form 20260131T235959Z"))
}
