mod faults;

use axum::{body::Bytes, routing::any};
use http_body_util::BodyExt as _;
use podrole_runtime::serve::{Limits, Server};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::Config;

/// An emulator that responds with the request.
async fn echo(request: Request) -> String {
    let names: Vec<_> = request.headers().keys().map(|name| name.as_str().to_owned()).collect();
    let uri = request.uri().to_string();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    format!("{uri} {} {}", names.join(","), String::from_utf8_lossy(&body))
}

async fn behind() -> Router {
    behind_of(&sandbox()).await
}

async fn behind_of(sandbox: &Sandbox) -> Router {
    let bind = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(bind, Limits::default()).await.unwrap();
    let url = format!("http://{}", server.address());
    let emulator = Router::new().fallback(any(echo));
    tokio::spawn(server.run(emulator, CancellationToken::new()));
    let upstream = Upstream::new(&url, UpstreamSign::AsItCame).unwrap();
    upstream.with_body_limit(8).behind(sandbox)
}

/// A sandbox with one user.
fn sandbox() -> Sandbox {
    let yaml = r#"
accounts:
  "111122223333":
    users:
      jo:
        arn: arn:aws:iam::111122223333:user/jo
        keys: [{id: AKIAAAAAAAAAAAAAAAAA, secret: hidden}]
"#;
    Sandbox::new(Config::read(yaml).unwrap())
}

/// A request that is signed by the user now.
fn signed(service: &str, body: &'static str, header: Option<(&str, &str)>) -> Request {
    let request = Request::builder().method("PUT").uri("/a%20b").header("host", "sandbox.test");
    let request =
        header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let stream = header.is_some_and(|(_, value)| value == "UNSIGNED-PAYLOAD");
    if stream {
        parts.headers.remove("x-amz-content-sha256");
    }
    let content = match stream {
        true => verify::VerifiedBody::Stream(axum::body::Body::from(body)),
        false => verify::VerifiedBody::Whole(Bytes::from(body)),
    };
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=A/19700101/eu-west-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    );
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", authorization.parse().unwrap());
    headers.insert("x-amz-date", "19700101T000000Z".parse().unwrap());
    let call = Call { method: "PUT", uri: &parts.uri, headers: &headers, body: b"" };
    let scope = RequestSignature::read(&call).unwrap();
    let at = podrole_runtime::clock::now();
    let signer = Signer { id: "AKIAAAAAAAAAAAAAAAAA", secret: "hidden", at };
    signer.sign(VerifiedRequest { parts, content }, &scope).unwrap()
}

async fn ask(router: Router, request: Request) -> (u16, String) {
    let answer = router.oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_users_call_is_passed_on() {
    let (status, text) = ask(behind().await, signed("s3", "hello", None)).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.starts_with("/a%20b ") && text.ends_with(" hello"), "{text}");
    assert!(text.contains("authorization"), "{text}");
}

#[tokio::test]
async fn a_signed_body_has_a_limit_and_an_unsigned_one_is_streamed() {
    let long = "longer than eight";
    let (status, text) = ask(behind().await, signed("s3", long, None)).await;
    assert_eq!(status, 400);
    assert!(text.contains("EntityTooLarge") && text.contains("--upstream-body-limit"), "{text}");
    let (status, _) = ask(behind().await, signed("lambda", long, None)).await;
    assert_eq!(status, 413);
    let unsigned = Some(("x-amz-content-sha256", "UNSIGNED-PAYLOAD"));
    let (status, text) = ask(behind().await, signed("s3", long, unsigned)).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.ends_with(long), "{text}");
}

#[tokio::test]
async fn only_s3_and_a_few_services_accept_unsigned_bodies() {
    let unsigned = Some(("x-amz-content-sha256", "UNSIGNED-PAYLOAD"));
    for (service, status) in [("s3", 200), ("ebs", 200), ("lambda", 403)] {
        let answer = ask(behind().await, signed(service, "hello", unsigned)).await;
        assert_eq!(answer.0, status, "{service}: {}", answer.1);
    }
}

#[tokio::test]
async fn passed_on_and_rejected_calls_are_recorded() {
    let sandbox = sandbox();
    let upstream = Upstream::new("http://127.0.0.1:9", UpstreamSign::AsItCame).unwrap();
    let router = upstream.behind(&sandbox);
    let (status, _) = ask(router.clone(), signed("s3", "hello", None)).await;
    assert_eq!(status, 503);
    ask(router, Request::builder().uri("/a/b").body("".into()).unwrap()).await;
    let decisions = sandbox.decisions();
    let outcomes: Vec<_> =
        decisions.iter().map(|one| (&*one.operation, one.code.as_deref())).collect();
    let wanted = [
        ("s3.PUT", None),
        ("s3.PUT", Some("ServiceUnavailable")),
        ("unsigned.GET", Some("AccessDenied")),
    ];
    assert_eq!(outcomes, wanted);
    assert!(decisions[0].reason.ends_with("arn:aws:iam::111122223333:user/jo"));
}

#[test]
fn the_way_to_sign_is_parsed_and_never_printed() {
    let again: UpstreamSign = "AKIA:hidden:too".parse().unwrap();
    assert_eq!(format!("{again:?}"), "Again(\"AKIA\")");
    assert!(matches!("as-it-came".parse(), Ok(UpstreamSign::AsItCame)));
    for bad in ["", "hidden", ":hidden", "AKIA:"] {
        let error = bad.parse::<UpstreamSign>().unwrap_err().to_string();
        assert!(!error.contains("hidden"), "{error}");
    }
}
