//! `/_podrole/faults`: POST makes one, GET lists them with their counts, DELETE forgets them.

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::{Faults, Rule};

pub(crate) fn router(faults: Faults) -> Router {
    Router::new().route("/_podrole/faults", get(list).post(add).delete(clear)).with_state(faults)
}

async fn list(State(faults): State<Faults>) -> Response {
    Json(faults.list()).into_response()
}

async fn clear(State(faults): State<Faults>) -> StatusCode {
    faults.clear();
    StatusCode::NO_CONTENT
}

async fn add(State(faults): State<Faults>, body: Bytes) -> Response {
    let rule = String::from_utf8_lossy(&body).parse::<Rule>().map_err(|fault| fault.to_string());
    let now = podrole_runtime::clock::now();
    let added = rule.and_then(|rule| faults.add(rule, now).map_err(|fault| fault.to_string()));
    match added {
        Ok(id) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        Err(fault) => (StatusCode::BAD_REQUEST, Json(json!({"message": fault}))).into_response(),
    }
}
