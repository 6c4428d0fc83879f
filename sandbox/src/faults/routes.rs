//! `/_podrole/faults`: POST adds a rule, GET lists the rules with their counts, DELETE removes them all.

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::{Faults, Rule, apply::bad_request};

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
    let rule = String::from_utf8_lossy(&body).parse::<Rule>();
    let added = match rule {
        Ok(rule) => faults.add(rule, podrole_runtime::clock::now()),
        Err(error) => return bad_request(&error.to_string()),
    };
    match added {
        Ok(id) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        Err(error) => bad_request(&error.to_string()),
    }
}
