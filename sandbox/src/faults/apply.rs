//! Injects the fault that is due into a request, and records it.

use axum::{
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Rule, RuleError, response,
    target::{self, FaultTarget},
};
use crate::{decisions::Decision, sandbox::Sandbox};

/// The header with a fault for one request.
const HEADER: &str = "x-podrole-fault";

/// A request extension: how much the sandbox's clock is off for the request.
#[derive(Clone, Copy)]
struct Skew(SignedDuration);

/// The current time, plus the clock skew that a fault injects into the request.
pub(crate) fn now(extensions: &Extensions) -> Timestamp {
    let now = podrole_runtime::clock::now();
    let skew = extensions.get::<Skew>().and_then(|skew| now.checked_add(skew.0).ok());
    skew.unwrap_or(now)
}

/// A fault may apply to a request: rules exist, or the request carries one. Without it the operation need
/// not be known, and a body not be read.
pub(crate) struct PendingFault(Option<Rule>);

/// The header does not hold a fault.
#[derive(Debug, thiserror::Error)]
#[error("{HEADER}: {0}")]
pub(crate) struct HeaderError(RuleError);

impl PendingFault {
    /// Returns `None` if no fault can apply.
    ///
    /// # Errors
    /// If the header is not a fault.
    pub(crate) fn read(
        sandbox: &Sandbox,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, HeaderError> {
        let own = own_rule(headers).map_err(HeaderError)?;
        Ok((own.is_some() || !sandbox.faults().is_empty()).then_some(Self(own)))
    }

    /// The fault for this call of an operation. Counts the call.
    pub(crate) fn due(self, sandbox: &Sandbox, operation: &str) -> Option<Rule> {
        let own = self.0.filter(|rule| rule.is_for(operation));
        own.or_else(|| sandbox.faults().next(operation, podrole_runtime::clock::now()))
    }
}

/// The middleware for every route that AWS has too.
pub(crate) async fn layer(
    State(sandbox): State<Sandbox>,
    request: Request,
    next: Next,
) -> Response {
    let wanted = match PendingFault::read(&sandbox, request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(wanted)) => wanted,
        Err(error) => return bad_request(&error.to_string()),
    };
    let Ok((target, request)) = target::read(request).await else {
        return bad_request("the body is larger than the query protocol allows");
    };
    match wanted.due(&sandbox, &target.operation) {
        Some(rule) => spoil(&rule, &target, &sandbox, request, |it| next.run(it)).await,
        None => next.run(request).await,
    }
}

fn own_rule(headers: &HeaderMap) -> Result<Option<Rule>, RuleError> {
    let Some(header) = headers.get(HEADER) else {
        return Ok(None);
    };
    let text = header.to_str().map_err(|_| RuleError::Text)?;
    text.parse().map(Some)
}

/// Applies a rule to a call. `next` performs the call itself.
pub(crate) async fn spoil<F: Future<Output = Response>>(
    rule: &Rule,
    target: &FaultTarget,
    sandbox: &Sandbox,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    if let Some(delay) = rule.delay.and_then(|delay| delay.0.try_into().ok()) {
        tokio::time::sleep(delay).await;
    }
    if let Some(response) = instead(rule, target, sandbox).await {
        return response;
    }
    let mut date = None;
    if let Some(skew) = rule.clock_skew {
        request.extensions_mut().insert(Skew(skew.0));
        date = Some(http_date(now(request.extensions())));
    }
    let mut response = next(request).await;
    // SDKs correct their clock skew by this header.
    if let Some(date) = date {
        response.headers_mut().insert(header::DATE, date);
    }
    if rule.truncated { response::halved(response) } else { response }
}

/// The response that replaces the operation's. `None` if the operation is performed.
async fn instead(rule: &Rule, target: &FaultTarget, sandbox: &Sandbox) -> Option<Response> {
    if rule.hang {
        write_down(sandbox, target, "hang");
        std::future::pending::<()>().await;
    }
    if rule.reset {
        write_down(sandbox, target, "reset");
        return Some(response::reset());
    }
    if rule.garbage {
        write_down(sandbox, target, "garbage");
        return Some(response::garbage(rule));
    }
    if rule.status.is_some() || rule.code.is_some() {
        write_down(sandbox, target, response::code(rule));
        return Some(response::error(rule, target));
    }
    None
}

fn write_down(sandbox: &Sandbox, target: &FaultTarget, code: &str) {
    sandbox.write(Decision {
        at: podrole_runtime::clock::now(),
        request_id: None,
        operation: target.operation.clone().into(),
        allowed: false,
        code: Some(code.to_owned().into()),
        role: None,
        reason: "an injected fault".to_owned(),
    });
}

fn http_date(at: Timestamp) -> HeaderValue {
    let text = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The response to an invalid fault.
pub(crate) fn bad_request(text: &str) -> Response {
    let message = axum::Json(serde_json::json!({"message": text}));
    (StatusCode::BAD_REQUEST, message).into_response()
}
