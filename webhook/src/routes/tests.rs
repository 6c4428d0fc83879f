//! Routes, limits and media types, without a network.

mod wire;

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request as HttpRequest},
};
use tower::ServiceExt as _;

use super::*;
use crate::{InMemory, Metrics, Settings};

const REVIEW: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":
    {"uid":"u-1","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE",
    "namespace":"shop","object":[]}}"#;

async fn ask(request: HttpRequest<Body>) -> (StatusCode, String, String) {
    let webhook = Webhook::new(InMemory::default(), Settings::default(), Metrics::default());
    let response = router(Arc::new(webhook)).oneshot(request).await.unwrap();
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = to_bytes(response.into_body(), MAX_BODY_BYTES).await.unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

fn post_to(path: &str, kind: &str, body: impl Into<Body>) -> HttpRequest<Body> {
    let request = HttpRequest::post(path).header(CONTENT_TYPE, kind);
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn every_route_answers_in_json() {
    for (path, allowed) in [
        ("/mutate", true),
        ("/mutate?timeout=3s", true),
        ("/mutate?timeout=soon", true),
        ("/mutate/required?timeout=3s", false),
        ("/validate?timeout=3s", true),
    ] {
        for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
            let (status, answered, body) = ask(post_to(path, kind, REVIEW)).await;
            assert_eq!((status, answered.as_str()), (StatusCode::OK, "application/json"));
            let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(answer["response"]["uid"], "u-1");
            assert_eq!(answer["response"]["allowed"], allowed, "{path}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_a_review_is_a_bad_request() {
    for body in ["", "{}", "hunter2", "[]", r#"{"request":{}}"#] {
        let (status, _, text) = ask(post_to("/mutate", "application/json", body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(!text.contains("hunter2"));
    }
}

#[tokio::test]
async fn other_media_types_and_methods_are_refused() {
    for kind in ["text/plain", "application/yaml", "application/jsonx"] {
        let (status, ..) = ask(post_to("/mutate", kind, REVIEW)).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    for method in [Method::GET, Method::PUT] {
        let request = HttpRequest::builder().method(method).uri("/mutate");
        let (status, ..) = ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }
    let (status, ..) = ask(HttpRequest::get("/healthz").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_of_six_mebibytes_is_read_and_one_byte_more_is_not() {
    let spaces = MAX_BODY_BYTES - REVIEW.len();
    for (more, expected) in [(0, StatusCode::OK), (1, StatusCode::PAYLOAD_TOO_LARGE)] {
        let body = format!("{REVIEW}{}", " ".repeat(spaces + more));
        let (status, ..) = ask(post_to("/mutate", "application/json", body)).await;
        assert_eq!(status, expected);
    }
}

#[test]
fn look_ups_may_take_half_of_the_reviews_timeout() {
    let patience = |text: &str| {
        let timeout = (!text.is_empty()).then(|| text.to_owned());
        patience(&ReviewQuery { timeout })
    };
    for (text, millis) in [
        ("", 1500),
        ("3s", 1500),
        ("10s", 5000),
        ("1s", 500),
        ("9999999s", 15_000),
        ("0s", 1500),
        ("-3s", 1500),
        ("3", 1500),
    ] {
        assert_eq!(patience(text), Duration::from_millis(millis), "{text}");
    }
}
