//! The routes.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    issuer::Issuer,
    random,
    sandbox::{Answer, Sandbox},
    sts::{Call, fault::Fault},
};

/// Bytes of a body: a token of 20,000 characters, three bytes each at worst, and the rest.
const MAX_BODY: usize = 64 * 1024;

/// All routes of a sandbox.
pub(crate) fn router(sandbox: &Sandbox, issuer: Option<&Issuer>) -> Router {
    let router = Router::new()
        .route("/", get(sts).post(sts))
        .route("/_podrole/decisions", get(decisions))
        .route("/_podrole/calls", get(calls))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(sandbox.clone());
    match issuer {
        Some(issuer) => router.merge(documents(issuer)),
        None => router,
    }
}

/// An issuer's discovery document and its keys.
fn documents(issuer: &Issuer) -> Router {
    let (discovery, keys) = issuer.paths();
    let (document, jwks) = (issuer.discovery(), issuer.jwks());
    Router::new()
        .route(&discovery, get(|| async { Json(document) }))
        .route(&keys, get(|| async { Json(jwks) }))
}

async fn sts(
    State(sandbox): State<Sandbox>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else {
        let id = random::uuid().unwrap_or_default();
        return Answer::refusal(&Fault::TooLarge, id).into_response();
    };
    let call = Call { method: method.as_str(), uri: &uri, headers: &headers, body: &body };
    sandbox.answer(&call, podrole_runtime::clock::now()).into_response()
}

async fn decisions(State(sandbox): State<Sandbox>) -> impl IntoResponse {
    Json(sandbox.decisions())
}

async fn calls(State(sandbox): State<Sandbox>) -> impl IntoResponse {
    Json(sandbox.calls())
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let headers = [
            (header::CONTENT_TYPE, "text/xml".to_owned()),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::HeaderName::from_static("x-amzn-requestid"), self.request_id),
        ];
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, headers, self.xml).into_response()
    }
}
