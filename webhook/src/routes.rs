//! HTTP: paths, limits and media types. Decisions are made elsewhere.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Query, Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use podrole_identity::Injection;
use podrole_runtime::serve::{Began, ForEveryone};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use crate::{
    DEFAULT_PATIENCE, ServiceAccounts, Webhook,
    metrics::Route,
    registered_timeout,
    review::{Answer, BadReview},
    review_bytes, validate_bytes,
};

/// The greatest length of a body, in bytes. The API server limits an object to 3 MiB, and an update
/// has two.
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// The webhook's routes: `POST /mutate`, `POST /mutate/required`, `POST /validate`,
/// `GET /healthz`.
pub fn router<S: ServiceAccounts>(webhook: Arc<Webhook<S>>) -> Router {
    Router::new()
        .route("/mutate", post(enabled::<S>))
        .route("/mutate/required", post(required::<S>))
        .route("/validate", post(validate::<S>))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(webhook)
        .route("/healthz", get(|| async { (Extension(ForEveryone), "ok\n") }))
}

/// The query string that the API server sends.
#[derive(Deserialize)]
struct ReviewQuery {
    timeout: Option<String>,
}

type Shared<S> = State<Arc<Webhook<S>>>;

async fn enabled<S: ServiceAccounts>(
    State(webhook): Shared<S>,
    Query(query): Query<ReviewQuery>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let answer = review(&webhook, Injection::Enabled, &query, request).await;
    webhook.metrics().took(Route::Enabled, began.elapsed());
    answer
}

async fn required<S: ServiceAccounts>(
    State(webhook): Shared<S>,
    Query(query): Query<ReviewQuery>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let answer = review(&webhook, Injection::Required, &query, request).await;
    webhook.metrics().took(Route::Required, began.elapsed());
    answer
}

async fn validate<S: ServiceAccounts>(
    State(webhook): Shared<S>,
    Query(query): Query<ReviewQuery>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let answer = match body(&webhook, request).await {
        Ok(body) => respond(validate_bytes(&webhook, patience(&query), &body).await),
        Err(refusal) => refusal,
    };
    webhook.metrics().took(Route::Validate, began.elapsed());
    answer
}

async fn review<S: ServiceAccounts>(
    webhook: &Webhook<S>,
    injection: Injection,
    query: &ReviewQuery,
    request: Request,
) -> Response {
    match body(webhook, request).await {
        Ok(body) => respond(review_bytes(webhook, injection, patience(query), &body).await),
        Err(refusal) => refusal,
    }
}

fn respond(answer: Result<Answer, BadReview>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(_) => refuse(StatusCode::BAD_REQUEST, "the body is not an AdmissionReview with a uid"),
    }
}

/// Reads the body. From its first byte to its last a request may take as long as an API server
/// waits for the answer: a later answer is of no use, and a slow sender holds memory.
async fn body<S>(webhook: &Webhook<S>, request: Request) -> Result<Bytes, Response> {
    if !is_json(request.headers()) {
        let text = "the Content-Type must be application/json";
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let began = request.extensions().get::<Began>().map_or_else(Instant::now, |began| began.0);
    let deadline = began + webhook.registered_timeout().get();
    match timeout_at(deadline, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let text = "the review is over 6 MiB; make the pod smaller";
            Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, text))
        }
        Ok(Err(error)) => Err(refuse(error.status(), "the body was cut off")),
        Err(_) => {
            let text = "the review did not arrive within the timeoutSeconds of the webhook \
                        configuration";
            Err(refuse(StatusCode::REQUEST_TIMEOUT, text))
        }
    }
}

fn refuse(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

/// How long look-ups may take: half of the time that the API server waits for the answer. The other
/// half is for connection set-up and a busy node, so that the answer arrives in time.
fn patience(query: &ReviewQuery) -> Duration {
    let timeout = query.timeout.as_deref().and_then(seconds);
    timeout.map_or(DEFAULT_PATIENCE, |timeout| timeout.min(registered_timeout::MAX) / 2)
}

/// Parses `3s`, the only form that the API server writes.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: u64 = text.strip_suffix('s')?.parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
