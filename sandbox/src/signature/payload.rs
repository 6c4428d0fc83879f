//! How a signature covers the body.

use super::authorization::{RequestSignature, SignatureError, SignaturePlacement};
use crate::call::Call;

const HEADER: &str = "x-amz-content-sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// The service names in the scope of S3's signatures.
const S3: [&str; 4] = ["s3", "s3express", "s3-object-lambda", "s3-outposts"];
/// Other services that allow unsigned bodies for some operations.
const TAKE_UNSIGNED: [&str; 4] = ["ebs", "lex", "mediastore", "omics"];

/// Whether a service's signatures follow S3's rules: no normalization of paths, and the body's hash from a
/// header.
pub(crate) fn is_s3(service: &str) -> bool {
    S3.contains(&service)
}

/// How the body is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// The hash is signed, and computed from the received body.
    Whole,
    /// The hash is signed and in a header. The body must have it.
    Hash(String),
    /// The body is not signed.
    Unsigned,
    /// The body is in chunks.
    Chunked { signed: bool, trailer: bool },
}

impl Payload {
    /// Reads how a request's body is signed.
    pub(crate) fn read(call: &Call<'_>, signed: &RequestSignature) -> Result<Self, SignatureError> {
        let service = signed.scope.service.as_str();
        let named = named(call, signed);
        if !is_s3(service) {
            let unsigned = named.as_deref() == Some(UNSIGNED) && TAKE_UNSIGNED.contains(&service);
            return Ok(if unsigned { Self::Unsigned } else { Self::Whole });
        }
        match (named.as_deref(), signed.place) {
            (None, SignaturePlacement::Headers) => Err(SignatureError::NoHash),
            (None | Some(UNSIGNED), _) => Ok(Self::Unsigned),
            (Some(named), _) => Self::of_s3(named).ok_or(SignatureError::BadHash),
        }
    }

    fn of_s3(named: &str) -> Option<Self> {
        let chunked = |signed, trailer| Some(Self::Chunked { signed, trailer });
        match named {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => chunked(true, false),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => chunked(true, true),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => chunked(false, true),
            hash if is_hash(hash) => Some(Self::Hash(hash.to_owned())),
            _ => None,
        }
    }

    /// What is signed in place of the body's hash. `None` if the hash is computed from the body.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Whole => None,
            Self::Hash(hash) => Some(hash),
            Self::Unsigned => Some(UNSIGNED),
            Self::Chunked { signed: true, trailer: false } => {
                Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
            }
            Self::Chunked { signed: true, trailer: true } => {
                Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
            }
            Self::Chunked { signed: false, .. } => Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        }
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The header `x-amz-content-sha256`. In a presigned URL a parameter of that name takes precedence, because
/// that is what was signed.
fn named(call: &Call<'_>, signed: &RequestSignature) -> Option<String> {
    if let SignaturePlacement::Query { .. } = signed.place {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(call.query()).ok()?;
        let own = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(HEADER));
        let header_is_signed = signed.headers.iter().any(|name| name == HEADER);
        let header = || call.header(HEADER).filter(|_| header_is_signed).map(str::to_owned);
        return own.map(|(_, value)| value).or_else(header);
    }
    call.header(HEADER).map(str::to_owned)
}
