//! The HTTP route of EKS Auth.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::post,
};
use jiff::Timestamp;

use super::{cluster_of, error::EksAuthError, response::JsonResponse};
use crate::{call::Call, faults, prefetch, random, sandbox::Sandbox, token::Token};

const PATH: &str = "/clusters/{name}/assume-role-for-pod-identity";

/// The route of EKS Auth's one operation.
pub(crate) fn router(sandbox: &Sandbox) -> Router {
    Router::new()
        .route(PATH, post(assume_role_for_pod_identity))
        .with_state(sandbox.clone())
        .layer(from_fn_with_state(sandbox.clone(), faults::apply::layer))
}

async fn assume_role_for_pod_identity(
    State(sandbox): State<Sandbox>,
    Path(name): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else {
        return JsonResponse::error(&EksAuthError::TooLarge, random::uuid().unwrap_or_default())
            .into_response();
    };
    let now = faults::apply::now(&extensions);
    prefetch_keys(&sandbox, &name, &body, now).await;
    let call = Call { method: method.as_str(), uri: &uri, headers: &headers, body: &body };
    prefetch::prefetch_role(&sandbox, &call, now).await;
    sandbox.pod_identity(&call, &name, now).into_response()
}

/// Fetches the keys of the cluster's issuer if they are only there, because the decision is synchronous.
async fn prefetch_keys(sandbox: &Sandbox, name: &str, body: &[u8], now: Timestamp) {
    let Ok(body) = serde_json::from_slice::<super::Body>(body) else {
        return;
    };
    let Some(Ok(token)) = body.token.as_deref().map(Token::parse) else {
        return;
    };
    let issuer = {
        let accounts = sandbox.accounts();
        let cluster = cluster_of(&accounts, name, &token.claims.iss);
        let issuer = cluster.map(|cluster| &cluster.issuer);
        issuer.filter(|one| one.is_elsewhere(sandbox.issuer())).cloned()
    };
    if let Some(issuer) = issuer {
        prefetch::keys::fetch(sandbox, &issuer, &token, now).await;
    }
}

impl IntoResponse for JsonResponse {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = self.request_id.parse() {
            headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
        }
        if let Some(code) = self.code {
            let name = HeaderName::from_static("x-amzn-errortype");
            headers.insert(name, HeaderValue::from_static(code));
        }
        response
    }
}
