//! The operation that a request names, and the format of its errors. Nothing is verified here: a fault
//! also applies to requests that would be rejected.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, header, request::Parts},
};

use crate::{call::MAX_BODY, upstream::protocol::Protocol};

const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const IAM_VERSION: &str = "2010-05-08";

/// An operation's name and the format of its errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultTarget {
    pub(crate) operation: String,
    pub(crate) format: ErrorFormat,
}

/// The format of an operation's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// The query protocol's XML, with its namespace.
    Query(&'static str),
    /// S3's XML.
    S3,
    /// The JSON protocols.
    Json,
    /// The protocol of a service of the upstream emulator.
    Passed(Protocol),
}

/// Finds a request's operation, and returns the request unchanged.
///
/// # Errors
/// If the body is larger than the query protocol allows.
pub(crate) async fn read(request: Request) -> Result<(FaultTarget, Request), axum::Error> {
    let (parts, body) = request.into_parts();
    if let Some(target) = by_head(&parts) {
        return Ok((target, Request::from_parts(parts, body)));
    }
    if !is_form(&parts.headers) {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let target = by_parameters(&[query]).unwrap_or_else(|| by_service(&parts.headers));
        return Ok((target, Request::from_parts(parts, body)));
    }
    let body = to_bytes(body, MAX_BODY).await?;
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let target = by_parameters(&[query, &body]).unwrap_or_else(|| by_service(&parts.headers));
    Ok((target, Request::from_parts(parts, Body::from(body))))
}

/// By path (EKS Auth and the issuer) or by header (JSON protocols).
fn by_head(parts: &Parts) -> Option<FaultTarget> {
    let json = |operation: &str| {
        let operation = operation.chars().take(100).collect();
        Some(FaultTarget { operation, format: ErrorFormat::Json })
    };
    let path = parts.uri.path();
    if path.starts_with("/clusters/") && path.ends_with("/assume-role-for-pod-identity") {
        return json("AssumeRoleForPodIdentity");
    }
    if path.ends_with("/.well-known/openid-configuration") {
        return json("Discovery");
    }
    if path.ends_with("/openid/v1/jwks") {
        return json("Jwks");
    }
    let target = parts.headers.get("x-amz-target")?.to_str().ok()?;
    json(target.rsplit_once('.').map_or(target, |(_, name)| name))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

fn by_parameters(texts: &[&[u8]]) -> Option<FaultTarget> {
    let (mut action, mut namespace) = (None, STS);
    for text in texts {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(text).unwrap_or_default();
        for (name, value) in pairs {
            match name.as_str() {
                "Action" => action = Some(value),
                "Version" if value == IAM_VERSION => namespace = IAM,
                _ => {}
            }
        }
    }
    let operation = action?.chars().take(100).collect();
    Some(FaultTarget { operation, format: ErrorFormat::Query(namespace) })
}

/// The fallback: the service in the signature's scope is used as the operation.
fn by_service(headers: &HeaderMap) -> FaultTarget {
    let scope = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
    let service = scope.and_then(|scope| scope.split('/').nth(3)).unwrap_or("unknown");
    let format = match service {
        "s3" => ErrorFormat::S3,
        "sts" => ErrorFormat::Query(STS),
        "iam" => ErrorFormat::Query(IAM),
        _ => ErrorFormat::Json,
    };
    FaultTarget { operation: service.chars().take(100).collect(), format }
}
