//! The sandbox's HTTP routes.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use podrole_identity::SANDBOX_REASON_HEADER;

use crate::{
    call::{Call, MAX_BODY},
    eks_auth, faults, iam,
    issuer::{Issuer, routes},
    prefetch::{prefetch, prefetch_role},
    random,
    sandbox::Sandbox,
    sts::{dispatch::XmlResponse, error::StsError, parameters::Parameters},
};

/// The longest reason in a header, in characters.
const REASON_LENGTH: usize = 400;

impl Sandbox {
    /// The routes: STS and IAM on `/`, EKS Auth, the issuer's if there is one, and the sandbox's own under
    /// `/_podrole/`.
    pub fn router(&self) -> Router {
        router(self, self.issuer())
    }
}

fn router(sandbox: &Sandbox, issuer: Option<&Issuer>) -> Router {
    let router = Router::new()
        .route("/", get(sts).post(sts))
        // A fallback runs the layer below: faults also apply to paths that do not exist.
        .fallback(|| async { StatusCode::NOT_FOUND })
        .with_state(sandbox.clone())
        .layer(from_fn_with_state(sandbox.clone(), faults::apply::layer));
    let own = own(sandbox).merge(eks_auth::route::router(sandbox));
    let router = match issuer {
        Some(issuer) => router.merge(issued(sandbox, issuer)).merge(own),
        None => router.merge(own),
    };
    router.layer(DefaultBodyLimit::max(MAX_BODY))
}

/// What AWS does not have: the decision log and fault injection.
fn own(sandbox: &Sandbox) -> Router {
    Router::new()
        .route("/_podrole/decisions", get(decisions))
        .route("/_podrole/calls", get(calls))
        .with_state(sandbox.clone())
        .merge(faults::routes::router(sandbox.faults().clone()))
}

/// The issuer's documents, which faults apply to, and its `/_podrole/` routes, which they do not.
fn issued(sandbox: &Sandbox, issuer: &Issuer) -> Router {
    let layer = from_fn_with_state(sandbox.clone(), faults::apply::layer);
    routes::documents(issuer).layer(layer).merge(routes::router(issuer))
}

async fn sts(
    State(sandbox): State<Sandbox>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else {
        let id = random::uuid().unwrap_or_default();
        return XmlResponse::error(&StsError::TooLarge, id).into_response();
    };
    let call = Call { method: method.as_str(), uri: &uri, headers: &headers, body: &body };
    answer(&sandbox, &call, faults::apply::now(&extensions)).await.into_response()
}

/// IAM and STS share a path: the operation decides which of them is called.
async fn answer(sandbox: &Sandbox, call: &Call<'_>, now: Timestamp) -> XmlResponse {
    let mut prepared = Ok(());
    if let Ok(parameters) = Parameters::read(call) {
        prefetch_role(sandbox, call, now).await;
        if iam::dispatch::is_called(&parameters) {
            return iam::dispatch::answer(sandbox, call, &parameters, now);
        }
        prepared = prefetch(sandbox, &parameters, now).await;
    }
    sandbox.answer(call, prepared, now)
}

async fn decisions(State(sandbox): State<Sandbox>) -> impl IntoResponse {
    Json(sandbox.decisions())
}

async fn calls(State(sandbox): State<Sandbox>) -> impl IntoResponse {
    Json(sandbox.calls())
}

impl IntoResponse for XmlResponse {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let headers = [
            (header::CONTENT_TYPE, "text/xml".to_owned()),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::HeaderName::from_static("x-amzn-requestid"), self.request_id),
        ];
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, headers, self.xml).into_response();
        // podrole's agent shows it to the pod's owner.
        let visible = |c: &char| (' '..='~').contains(c);
        let reason = self
            .reason
            .map(|reason| reason.chars().filter(visible).take(REASON_LENGTH).collect::<String>());
        if let Some(reason) = reason.and_then(|reason| HeaderValue::from_str(&reason).ok()) {
            response.headers_mut().insert(SANDBOX_REASON_HEADER, reason);
        }
        response
    }
}
