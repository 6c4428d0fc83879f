//! The HTTP side: paths, limits, media types. What is decided is decided elsewhere.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Query, Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use podrole_identity::Injection;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use crate::{
    DEFAULT_PATIENCE, ServiceAccounts, Webhook,
    metrics::Route,
    review::{Answer, BadReview},
    review_bytes, validate_bytes,
};

/// The longest body that is read, in bytes. The API server's own limit for an object is 3 MiB,
/// and an update carries two.
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;
/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// The longest timeout that a registration can ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// The webhook's routes: `POST /mutate`, `POST /mutate/required`, `POST /validate`,
/// `GET /healthz`.
pub fn router<S: ServiceAccounts>(webhook: Arc<Webhook<S>>) -> Router {
    Router::new()
        .route("/mutate", post(enabled::<S>))
        .route("/mutate/required", post(required::<S>))
        .route("/validate", post(validate::<S>))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(webhook)
        .route("/healthz", get(|| async { "ok\n" }))
}

/// What the API server adds to the URL.
#[derive(Deserialize)]
struct Asked {
    timeout: Option<String>,
}

type Shared<S> = State<Arc<Webhook<S>>>;

async fn enabled<S: ServiceAccounts>(
    State(webhook): Shared<S>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let answer = review(&webhook, Injection::Enabled, &asked, request).await;
    webhook.metrics().took(Route::Enabled, began.elapsed());
    answer
}

async fn required<S: ServiceAccounts>(
    State(webhook): Shared<S>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let answer = review(&webhook, Injection::Required, &asked, request).await;
    webhook.metrics().took(Route::Required, began.elapsed());
    answer
}

async fn validate<S: ServiceAccounts>(
    State(webhook): Shared<S>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let answer = match body(request).await {
        Ok(body) => told(validate_bytes(&webhook, patience(&asked), &body).await),
        Err(refusal) => refusal,
    };
    webhook.metrics().took(Route::Validate, began.elapsed());
    answer
}

async fn review<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    injection: Injection,
    asked: &Asked,
    request: Request,
) -> Response {
    match body(request).await {
        Ok(body) => told(review_bytes(webhook, injection, patience(asked), &body).await),
        Err(refusal) => refusal,
    }
}

fn told(answer: Result<Answer, BadReview>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(_) => refuse(StatusCode::BAD_REQUEST, "send an AdmissionReview with a uid"),
    }
}

async fn body(request: Request) -> Result<Bytes, Response> {
    if !is_json(request.headers()) {
        let mend = "send it as application/json";
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, mend));
    }
    match timeout(BODY_DEADLINE, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let mend = "the review is over 6 MiB; make the pod smaller";
            Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, mend))
        }
        Ok(Err(error)) => Err(refuse(error.status(), "the body did not arrive whole")),
        Err(_) => Err(refuse(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn refuse(status: StatusCode, mend: &str) -> Response {
    (status, format!("{mend}\n")).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Half of the time that the API server waits for us.
fn patience(asked: &Asked) -> Duration {
    let waits = asked.timeout.as_deref().and_then(seconds);
    waits.map_or(DEFAULT_PATIENCE, |waits| waits.min(MAX_TIMEOUT) / 2)
}

/// Reads `3s`, the one form that the API server writes.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: u64 = text.strip_suffix('s')?.parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
