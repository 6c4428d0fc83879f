//! Decides whether the sandbox or the emulator handles a call: by the signature's scope, or in unsigned calls
//! by the path or the Action.

use axum::{
    body::{Body, Bytes},
    extract::Request,
};
use http_body_util::{BodyExt as _, Limited};

use super::forward_error::ForwardError;
use crate::{
    call::{Call, MAX_BODY},
    signature::authorization::{RequestSignature, SignatureError},
};

/// The services that the sandbox implements itself.
const OURS: [&str; 3] = ["sts", "iam", "eks-auth"];
/// STS's operations. Two of them are unsigned; to the others STS responds with its own error.
const STS: [&str; 11] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
];
/// Where a request goes.
pub(crate) enum Destination {
    /// The sandbox's own routes.
    Sandbox,
    /// The emulator, if the signature is valid.
    Upstream(RequestSignature),
    Rejected(ForwardError),
}

/// Decides where a request goes. An unsigned form's body is read and put back.
pub(crate) async fn of(request: Request) -> (Request, Destination) {
    match of_head(&Call::head(&request)) {
        Ok(destination) => (request, destination),
        Err(Unsigned) if is_form(&Call::head(&request)) => of_form(request).await,
        Err(Unsigned) => (request, rejected(SignatureError::Missing)),
    }
}

/// The request is unsigned, and not on a path of the sandbox.
struct Unsigned;

fn of_head(call: &Call<'_>) -> Result<Destination, Unsigned> {
    let path = call.uri.path();
    if path.starts_with("/_podrole/") {
        return Ok(Destination::Sandbox);
    }
    match RequestSignature::read(call) {
        Ok(signed) if OURS.contains(&&*signed.scope.service) => Ok(Destination::Sandbox),
        Ok(signed) => Ok(Destination::Upstream(signed)),
        Err(SignatureError::Missing) if is_own_path(path) => Ok(Destination::Sandbox),
        Err(SignatureError::Missing) if is_sts(call.query().as_bytes()) => Ok(Destination::Sandbox),
        Err(SignatureError::Missing) if is_version_2(call) => {
            Ok(Destination::Rejected(ForwardError::Version2))
        }
        Err(SignatureError::Missing) => Err(Unsigned),
        Err(error) => Ok(rejected(error)),
    }
}

async fn of_form(request: Request) -> (Request, Destination) {
    let (parts, body) = request.into_parts();
    let read = Limited::new(body, MAX_BODY).collect().await;
    let body = read.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let destination = destination_of(&body);
    (Request::from_parts(parts, Body::from(body)), destination)
}

fn destination_of(form: &Bytes) -> Destination {
    if is_sts(form) { Destination::Sandbox } else { rejected(SignatureError::Missing) }
}

fn rejected(error: SignatureError) -> Destination {
    Destination::Rejected(ForwardError::Signature(error))
}

/// The paths of the issuer's documents and of EKS Auth.
fn is_own_path(path: &str) -> bool {
    path.ends_with("/.well-known/openid-configuration")
        || path.ends_with("/openid/v1/jwks")
        || (path.starts_with("/clusters/") && path.ends_with("/assume-role-for-pod-identity"))
}

/// A presigned URL with Signature Version 2, which is still the default of some SDKs.
fn is_version_2(call: &Call<'_>) -> bool {
    call.query().split('&').any(|pair| pair.starts_with("AWSAccessKeyId="))
}

fn is_form(call: &Call<'_>) -> bool {
    let kind = call.header("content-type").unwrap_or_default();
    call.method == "POST"
        && call.uri.path() == "/"
        && kind.starts_with("application/x-www-form-urlencoded")
}

/// Whether a query or a form names an operation of STS.
fn is_sts(form: &[u8]) -> bool {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(form).unwrap_or_default();
    let action = pairs.iter().find(|(name, _)| name == "Action");
    action.is_some_and(|(_, action)| STS.contains(&action.as_str()))
}

#[cfg(test)]
mod tests;
