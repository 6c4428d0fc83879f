//! Why a call is not passed on, with AWS's code and status in each protocol.

use super::protocol::Protocol;
use crate::signature::{authorization::SignatureError, chunk_error::ChunkError};

/// Why a call is not passed on. The text goes to the caller, and `reason` to the decision log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForwardError {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 (boto3: Config(signature_version=\"s3v4\"))."
    )]
    Version2,
    #[error("Request has expired")]
    UrlExpired,
    #[error(transparent)]
    Chunks(#[from] ChunkError),
    #[error(
        "The signed body is larger than podrole-sandbox's limit of {0} bytes; send it in parts, or start the sandbox with a larger --upstream-body-limit"
    )]
    TooLarge(usize),
    #[error("The request body terminated unexpectedly")]
    Unread,
    #[error(
        "podrole-sandbox could not reach the emulator at {url} ({why}); start the emulator there, or start the sandbox with another --upstream"
    )]
    Unreachable { url: String, why: String },
    #[error("podrole-sandbox got no response from the emulator at {url} within {seconds} s")]
    Silent { url: String, seconds: u64 },
    #[error("podrole-sandbox could not write the request for the emulator")]
    Unwritable,
}

impl ForwardError {
    /// AWS's code and HTTP status.
    pub(crate) fn code(&self, protocol: Protocol) -> (&'static str, u16) {
        let s3 = protocol == Protocol::S3;
        match self {
            Self::Signature(error) => signature(error, protocol),
            Self::Version2 => ("InvalidRequest", 400),
            Self::UrlExpired if s3 => ("AccessDenied", 403),
            Self::UrlExpired => signature(&SignatureError::Old, protocol),
            Self::Chunks(ChunkError::Signature) => ("SignatureDoesNotMatch", 403),
            Self::Chunks(ChunkError::Incomplete) | Self::Unread => ("IncompleteBody", 400),
            Self::Chunks(ChunkError::Malformed(_)) => ("InvalidRequest", 400),
            Self::Chunks(ChunkError::Trailer) => ("MalformedTrailerError", 400),
            Self::TooLarge(_) if s3 => ("EntityTooLarge", 400),
            Self::TooLarge(_) => ("RequestEntityTooLargeException", 413),
            Self::Unreachable { .. } | Self::Silent { .. } if s3 => ("ServiceUnavailable", 503),
            Self::Unreachable { .. } | Self::Silent { .. } => ("ServiceUnavailableException", 503),
            Self::Unwritable => ("InternalFailure", 500),
        }
    }

    /// The message for the caller.
    pub(crate) fn message(&self, protocol: Protocol) -> String {
        match (self, protocol) {
            (Self::Signature(error), Protocol::S3) => s3_message(error),
            _ => self.to_string(),
        }
    }

    /// The reason for the decision log, which the caller does not see.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Signature(error) => error.detail(),
            other => other.to_string(),
        }
    }
}

fn signature(error: &SignatureError, protocol: Protocol) -> (&'static str, u16) {
    match protocol {
        Protocol::S3 => of_s3(error),
        Protocol::Query => of_query(error),
        Protocol::Ec2 => of_ec2(error),
        Protocol::Json | Protocol::Cbor => (of_json(error), 400),
        Protocol::RestJson if matches!(error, SignatureError::Incomplete(_)) => {
            (of_json(error), 400)
        }
        Protocol::RestJson => (of_json(error), 403),
    }
}

fn of_s3(error: &SignatureError) -> (&'static str, u16) {
    match error {
        SignatureError::Missing | SignatureError::NotSigned(_) => ("AccessDenied", 403),
        SignatureError::Incomplete(_) | SignatureError::Service | SignatureError::Date => {
            ("AuthorizationHeaderMalformed", 400)
        }
        SignatureError::UnknownKey => ("InvalidAccessKeyId", 403),
        SignatureError::SessionToken | SignatureError::ForeignToken => ("InvalidToken", 400),
        SignatureError::Old | SignatureError::Early => ("RequestTimeTooSkewed", 403),
        SignatureError::Body => ("XAmzContentSHA256Mismatch", 400),
        SignatureError::Mismatch => ("SignatureDoesNotMatch", 403),
        SignatureError::Expired => ("ExpiredToken", 400),
        SignatureError::NoHash => ("InvalidRequest", 400),
        SignatureError::BadHash => ("InvalidArgument", 400),
    }
}

fn s3_message(error: &SignatureError) -> String {
    match error {
        SignatureError::Missing => "Access Denied".to_owned(),
        SignatureError::UnknownKey => {
            "The AWS Access Key Id you provided does not exist in our records.".to_owned()
        }
        SignatureError::SessionToken | SignatureError::ForeignToken => {
            "The provided token is malformed or otherwise invalid.".to_owned()
        }
        SignatureError::Old | SignatureError::Early => {
            "The difference between the request time and the current time is too large.".to_owned()
        }
        SignatureError::Body => {
            "The provided 'x-amz-content-sha256' header does not match what was computed."
                .to_owned()
        }
        SignatureError::Expired => "The provided token has expired.".to_owned(),
        other => other.to_string(),
    }
}

/// STS's own codes.
fn of_query(error: &SignatureError) -> (&'static str, u16) {
    error.code()
}

fn of_ec2(error: &SignatureError) -> (&'static str, u16) {
    match error {
        SignatureError::Missing | SignatureError::Incomplete(_) => error.code(),
        SignatureError::Expired => ("RequestExpired", 400),
        _ => ("AuthFailure", 401),
    }
}

fn of_json(error: &SignatureError) -> &'static str {
    match error {
        SignatureError::Missing => "MissingAuthenticationTokenException",
        SignatureError::Incomplete(_) => "IncompleteSignatureException",
        SignatureError::UnknownKey
        | SignatureError::SessionToken
        | SignatureError::ForeignToken => "UnrecognizedClientException",
        SignatureError::Expired => "ExpiredTokenException",
        _ => "InvalidSignatureException",
    }
}

#[cfg(test)]
mod tests;
