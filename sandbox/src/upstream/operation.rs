//! The operation of a call for the emulator, for the decision log and for faults. It is read before the
//! signature is verified.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
};

use super::protocol::Protocol;
use crate::{
    call::{Call, MAX_BODY},
    faults,
    signature::authorization::RequestSignature,
};

/// Characters of an operation's name that are kept, because callers choose it.
const OPERATION_LENGTH: usize = 100;

/// The protocol and the name of a call's operation.
pub(super) struct UpstreamOperation {
    pub(super) protocol: Protocol,
    /// For example `secretsmanager.GetSecretValue` or `s3.PUT`.
    pub(super) name: String,
}

impl UpstreamOperation {
    pub(super) fn of(call: &Call<'_>, signed: Option<&RequestSignature>) -> Self {
        let service = signed.map(|signed| signed.scope.service.as_str());
        let target = call.header("x-amz-target");
        let name = target.map(|target| target.rsplit_once('.').map_or(target, |(_, name)| name));
        let operation = match (service, target) {
            (None, Some(target)) => target.to_owned(),
            _ => {
                format!("{}.{}", service.unwrap_or("unsigned"), name.unwrap_or(call.method))
            }
        };
        Self { protocol: Protocol::of(call, signed), name: short(&operation) }
    }

    /// Adds the Action in the body of a short form. Returns the request unchanged. A body without a length, or
    /// with a large one, is not read.
    pub(super) async fn with_action(self, request: Request) -> (Self, Request) {
        if self.protocol != Protocol::Query || !is_short_form(&request) {
            return (self, request);
        }
        let (parts, body) = request.into_parts();
        // An incomplete body is detected again when its signature is checked.
        let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).unwrap_or_default();
        let action = pairs.into_iter().find(|(name, _)| name == "Action");
        let (service, _) = self.name.split_once('.').unwrap_or_default();
        let name = action.map(|(_, action)| short(&format!("{service}.{action}")));
        let name = name.unwrap_or_else(|| self.name.clone());
        (Self { name, ..self }, Request::from_parts(parts, Body::from(body)))
    }

    /// The operation as fault rules match it.
    pub(super) fn for_faults(&self) -> faults::FaultTarget {
        faults::FaultTarget {
            operation: self.name.clone(),
            format: faults::ErrorFormat::Passed(self.protocol),
        }
    }
}

fn short(operation: &str) -> String {
    operation.chars().take(OPERATION_LENGTH).collect()
}

fn is_short_form(request: &Request) -> bool {
    let call = Call::head(request);
    let kind = call.header("content-type").unwrap_or_default();
    let length = call.header("content-length").and_then(|length| length.parse::<usize>().ok());
    kind.starts_with("application/x-www-form-urlencoded")
        && length.is_some_and(|length| length <= MAX_BODY)
}
