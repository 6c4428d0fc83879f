//! Faults on a request's way: what is due is found, written down, and done.

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

/// The header that spoils the one request that carries it.
const HEADER: &str = "x-podrole-fault";

/// By how much the sandbox's clock is wrong for a request; in its extensions.
#[derive(Clone, Copy)]
struct Skew(SignedDuration);

/// The time, for a request: wrong where a fault says so.
pub(crate) fn now(extensions: &Extensions) -> Timestamp {
    let now = podrole_runtime::clock::now();
    let skew = extensions.get::<Skew>().and_then(|skew| now.checked_add(skew.0).ok());
    skew.unwrap_or(now)
}

/// That something may go wrong with a request: there are faults, or it carries one.
pub(crate) struct PendingFault(Option<Rule>);

impl PendingFault {
    /// Whether anything may; what is wrong with a header that is no fault.
    pub(crate) fn read(sandbox: &Sandbox, headers: &HeaderMap) -> Result<Option<Self>, String> {
        let own = own_rule(headers).map_err(|fault| format!("{HEADER}: {fault}"))?;
        Ok((own.is_some() || !sandbox.faults().is_empty()).then_some(Self(own)))
    }

    /// The fault that has this call of an operation. It is counted.
    pub(crate) fn due(self, sandbox: &Sandbox, operation: &str) -> Option<Rule> {
        let own = self.0.filter(|rule| rule.is_for(operation));
        own.or_else(|| sandbox.faults().next(operation, podrole_runtime::clock::now()))
    }
}

/// Every request to what AWS would serve goes through here.
pub(crate) async fn layer(
    State(sandbox): State<Sandbox>,
    request: Request,
    next: Next,
) -> Response {
    let wanted = match PendingFault::read(&sandbox, request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(wanted)) => wanted,
        Err(fault) => return refusal(&fault),
    };
    let Ok((target, request)) = target::read(request).await else {
        return refusal("the body is larger than the query protocol takes");
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

/// Does to a call what a rule says; `next` is the call's own way.
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
    // SDKs set their clocks by this header.
    if let Some(date) = date {
        response.headers_mut().insert(header::DATE, date);
    }
    if rule.truncated { response::halved(response) } else { response }
}

/// What is answered in the operation's place; nothing where it shall happen.
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
        operation: target.operation.clone().into(),
        allowed: false,
        code: Some(code.to_owned().into()),
        role: None,
        reason: "a fault that was asked for".to_owned(),
    });
}

fn http_date(at: Timestamp) -> HeaderValue {
    let text = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The answer to a request whose fault cannot be had.
pub(crate) fn refusal(text: &str) -> Response {
    let message = axum::Json(serde_json::json!({"message": text}));
    (StatusCode::BAD_REQUEST, message).into_response()
}
