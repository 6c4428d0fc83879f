//! Faults in calls that are passed on.

use std::time::Duration;

use axum::body::Body;
use futures::stream;
use tokio::time::timeout;

use super::*;
use crate::upstream::protocol::Protocol;

/// Injects a rule and performs a call of the user. Returns the sandbox and the response.
async fn spoiled(service: &str, rule: &str) -> (Sandbox, Response) {
    let sandbox = sandbox();
    sandbox.faults().add(rule.parse().unwrap(), podrole_runtime::clock::now()).unwrap();
    let router = behind_of(&sandbox).await;
    let answer = router.oneshot(signed(service, "hello", None)).await.unwrap();
    (sandbox, answer)
}

async fn text(answer: Response) -> String {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

#[tokio::test]
async fn a_fault_matches_a_service_an_operation_or_both() {
    for (name, wanted) in [
        ("*", 503),
        ("s3", 503),
        ("S3", 503),
        ("put", 503),
        ("s3.PUT", 503),
        ("s3.GET", 200),
        ("secretsmanager", 200),
        ("GetCallerIdentity", 200),
    ] {
        let rule = format!("operation={name},status=503,code=SlowDown");
        let (sandbox, answer) = spoiled("s3", &rule).await;
        assert_eq!(answer.status(), wanted, "{name}");
        // With or without a fault, the call is counted once.
        assert_eq!(sandbox.calls()["s3.PUT"], 1, "{name}");
    }
}

#[tokio::test]
async fn a_fault_has_the_format_of_its_service() {
    let rule = "status=503,code=SlowDown,message=wait";
    let answer = text(spoiled("s3", rule).await.1).await;
    assert!(answer.contains("<Error><Code>SlowDown</Code><Message>wait</Message>"), "{answer}");
    let (_, answer) = spoiled("lambda", "code=TooManyRequestsException,status=429").await;
    assert_eq!(answer.headers()["x-amzn-errortype"], "TooManyRequestsException");
    assert_eq!(answer.status(), 429);
}

#[tokio::test]
async fn each_kind_of_fault_applies_to_upstream_calls() {
    let body = async |rule: &str| spoiled("s3", rule).await.1.into_body().collect().await;
    assert!(body("reset").await.is_err());
    assert!(body("truncated").await.is_err());
    assert!(body("garbage").await.unwrap().to_bytes().starts_with(b"<html>\xff"));
    let hung = timeout(Duration::from_millis(50), spoiled("s3", "hang")).await;
    assert!(hung.is_err());
    let started = tokio::time::Instant::now();
    assert!(text(spoiled("s3", "delay=50ms").await.1).await.ends_with(" hello"));
    assert!(started.elapsed() >= Duration::from_millis(50));
    // The skewed clock makes the signature too old.
    let (_, late) = spoiled("s3", "clockSkew=20m").await;
    assert_eq!((late.status().as_u16(), late.headers().contains_key("date")), (403, true));
    assert!(text(late).await.contains("RequestTimeTooSkewed"));
}

#[tokio::test]
async fn faults_also_apply_to_rejected_calls_and_a_header_can_contain_one() {
    let sandbox = sandbox();
    let router = behind_of(&sandbox).await;
    let ask = async |rule: &str| {
        let request = Request::builder().uri("/a/b").header("x-podrole-fault", rule);
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask("status=503").await, 503);
    assert_eq!(ask("status=503,operation=s3").await, 403);
    assert_eq!(ask("nonsense").await, 400);
    assert_eq!(sandbox.calls()["unsigned.GET"], 2);
}

fn form(length: Option<&str>, body: Body) -> Request {
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    let mut request = Request::builder().method("POST").header("content-type", kind);
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    request.body(body).unwrap()
}

#[tokio::test]
async fn a_short_forms_action_is_read_and_its_body_put_back() {
    let of_sns = || UpstreamOperation { protocol: Protocol::Query, name: "sns.POST".to_owned() };
    let text = "Version=2010-03-31&Action=CreateTopic";
    let (named, request) = of_sns().with_action(form(Some("37"), Body::from(text))).await;
    assert_eq!(named.name, "sns.CreateTopic");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, text);
    // Long bodies and bodies without a length are not read: these never end.
    for length in [None, Some("65537")] {
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let read = of_sns().with_action(form(length, endless));
        let (named, _) = timeout(Duration::from_secs(5), read).await.unwrap();
        assert_eq!(named.name, "sns.POST", "{length:?}");
    }
}
