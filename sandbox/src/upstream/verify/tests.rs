use jiff::SignedDuration;

use super::*;
use crate::signature::sigv4::sign_as_client;

const URL: &str = "http://sandbox.test/a%20b";

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn pods_key() -> CallerKey {
    CallerKey {
        id: "ASIAAAAAAAAAAAAAAAAA".to_owned(),
        secret: "secret".to_owned(),
        token: Some("token/+=".to_owned()),
        expiration: Some(now() + SignedDuration::from_hours(1)),
        arn: "arn:aws:sts::111122223333:assumed-role/app/me".to_owned(),
    }
}

/// A request that is signed by the pod's key now. Tests change it before it is sent.
fn signed(service: &str, body: &'static str) -> Request {
    let scope = (now(), "eu-west-1", service);
    let headers = sign_as_client(
        pods_key(),
        ("PUT", URL, body.as_bytes()),
        scope,
        SignaturePlacement::Headers,
    );
    let request = Request::builder().method("PUT").uri("/a%20b").header("host", "sandbox.test");
    let request =
        headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body(Body::from(body)).unwrap()
}

fn presigned(key: CallerKey, at: Timestamp, body: &'static str) -> Request {
    let (scope, place) = ((at, "eu-west-1", "s3"), SignaturePlacement::Query { expires: 60 });
    let query = sign_as_client(key, ("PUT", URL, b""), scope, place);
    let uri = format!("/a%20b?{}", serde_urlencoded::to_string(query).unwrap());
    let request = Request::builder().method("PUT").uri(uri).header("host", "sandbox.test");
    request.body(Body::from(body)).unwrap()
}

/// The result, `later` seconds after the request was signed.
async fn ask_at(request: Request, later: i64) -> Result<VerifiedRequest, ForwardError> {
    let head = Call::head(&request);
    let signed = RequestSignature::read(&head)?;
    let find = |signed: &RequestSignature| {
        let known = signed.scope.key_id == pods_key().id;
        known.then(pods_key).ok_or(SignatureError::UnknownKey)
    };
    let key = key(&head, &signed, find, now() + SignedDuration::from_secs(later))?;
    body(request, &signed, &key, 1000, false).await
}

async fn error(request: Request) -> Option<ForwardError> {
    ask_at(request, 0).await.err()
}

fn changed(service: &str, change: impl FnOnce(&mut Request)) -> Request {
    let mut request = signed(service, "hello");
    change(&mut request);
    request
}

fn with_header(service: &str, name: &'static str, value: &str) -> Request {
    changed(service, |request| {
        request.headers_mut().insert(name, value.parse().unwrap());
    })
}

#[tokio::test]
async fn a_signed_call_is_verified() {
    for service in ["s3", "s3express", "secretsmanager", "lambda"] {
        let verified =
            ask_at(signed(service, "hello"), 0).await.ok().map(|verified| verified.content);
        assert!(
            matches!(verified, Some(VerifiedBody::Whole(body)) if body == "hello"),
            "{service}"
        );
    }
    let verified = ask_at(presigned(pods_key(), now(), "from afar"), 60).await;
    assert!(matches!(verified, Ok(VerifiedRequest { content: VerifiedBody::Stream(_), .. })));
}

#[tokio::test]
async fn a_changed_call_is_rejected() {
    use SignatureError::{BadHash, Body as Hash, Date, Mismatch, NoHash, NotSigned, SessionToken};
    let body = |text: &'static str| move |request: &mut Request| *request.body_mut() = text.into();
    let uri = |uri: &'static str| {
        move |request: &mut Request| *request.uri_mut() = http::Uri::from_static(uri)
    };
    let unsigned = || with_header("s3", "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let acl = || NotSigned("x-amz-acl".to_owned());
    let day = |request: &mut Request| {
        let header = request.headers()["authorization"].to_str().unwrap();
        let header = header.replace("19700112", "19700113").parse().unwrap();
        request.headers_mut().insert("authorization", header);
    };
    for (name, request, wanted) in [
        ("S3's body", changed("s3", body("hallo")), Hash),
        ("the body", changed("lambda", body("hallo")), Mismatch),
        ("S3's body, said to be unsigned", unsigned(), Mismatch),
        ("S3's key", changed("s3", uri("/a%20c")), Mismatch),
        ("S3's path made shorter", changed("s3", uri("/x/../a%20b")), Mismatch),
        ("the query", changed("s3", uri("/a%20b?acl")), Mismatch),
        ("another session token", with_header("s3", "x-amz-security-token", "other"), SessionToken),
        ("a header more for S3", with_header("s3", "x-amz-acl", "public-read"), acl()),
        ("a header more", with_header("lambda", "x-amz-acl", "public-read"), acl()),
        (
            "no hash",
            changed("s3", |it| drop(it.headers_mut().remove("x-amz-content-sha256"))),
            NoHash,
        ),
        ("another hash", with_header("lambda", "x-amz-content-sha256", "hello"), Hash),
        ("another day", changed("s3", day), Date),
        ("no hash at all", with_header("s3", "x-amz-content-sha256", "hello"), BadHash),
    ] {
        assert_eq!(error(request).await, Some(wanted.into()), "{name}");
    }
}

#[tokio::test]
async fn a_path_is_the_same_however_it_is_encoded() {
    // S3 signs the decoded key, so the encoding does not matter.
    for uri in ["/a%20b", "/%61%20b"] {
        let request = changed("s3", |request| *request.uri_mut() = uri.parse().unwrap());
        assert_eq!(error(request).await, None, "{uri}");
    }
}

#[tokio::test]
async fn keys_and_times_expire() {
    let at = async |request, later| ask_at(request, later).await.err();
    assert_eq!(at(signed("s3", ""), 900).await, None);
    assert_eq!(at(signed("s3", ""), 901).await, Some(SignatureError::Old.into()));
    assert_eq!(at(signed("s3", ""), -901).await, Some(SignatureError::Early.into()));
    assert_eq!(at(presigned(pods_key(), now(), ""), 61).await, Some(ForwardError::UrlExpired));
    let end = now() + SignedDuration::from_hours(1);
    assert_eq!(
        at(presigned(pods_key(), end, ""), 3600).await,
        Some(SignatureError::Expired.into())
    );
    let mut stranger = pods_key();
    stranger.id = "ASIABBBBBBBBBBBBBBBB".to_owned();
    let unknown = Some(SignatureError::UnknownKey.into());
    assert_eq!(at(presigned(stranger, now(), ""), 0).await, unknown);
}
