//! Verifies what was signed again with the sandbox's own checks, which is other code than the signing.
//! tests/local uses an independent verifier.

use axum::body::Bytes;
use http_body_util::BodyExt as _;
use jiff::SignedDuration;

use super::*;
use crate::{
    call::Call,
    signature::{authorization::SignaturePlacement, key::CallerKey},
    upstream::verify,
};

const ID: &str = "AKIAEMULATOR";

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn key() -> CallerKey {
    let (id, secret) = (ID.to_owned(), "its secret".to_owned());
    CallerKey { id, secret, token: None, expiration: None, arn: String::new() }
}

fn client() -> RequestSignature {
    let authorization = "AWS4-HMAC-SHA256 Credential=ASIAB/19700112/eu-west-1/s3/aws4_request, \
                         SignedHeaders=host, Signature=0";
    let mut headers = HeaderMap::new();
    headers.insert("authorization", authorization.parse().unwrap());
    headers.insert("x-amz-date", "19700112T134640Z".parse().unwrap());
    let uri = Uri::from_static("/");
    RequestSignature::read(&Call { method: "GET", uri: &uri, headers: &headers, body: b"" })
        .unwrap()
}

fn signed_for(service: &str) -> RequestSignature {
    let mut signed = client();
    signed.scope.service = service.to_owned();
    signed
}

fn parts(uri: &str) -> Parts {
    let request = Request::builder()
        .method("PUT")
        .uri(uri)
        .header("host", "bucket.test")
        .header("authorization", "the client's")
        .header("x-amz-date", "the client's")
        .header("x-amz-security-token", "the client's")
        .header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
        .header("x-amz-decoded-content-length", "5")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("content-encoding", "gzip, aws-chunked")
        .header("content-length", "200")
        .header("x-amz-acl", "private");
    request.body(()).unwrap().into_parts().0
}

fn sign(uri: &str, content: VerifiedBody, signed: &RequestSignature) -> Request {
    let at = now() + SignedDuration::from_mins(5);
    let signer = Signer { id: ID, secret: "its secret", at };
    signer.sign(VerifiedRequest { parts: parts(uri), content }, signed).unwrap()
}

/// Whether the emulator would accept the call.
async fn taken(request: Request) -> bool {
    let at = now() + SignedDuration::from_mins(5);
    let head = Call::head(&request);
    let signed = RequestSignature::read(&head).unwrap();
    assert_eq!(signed.scope.key_id, ID);
    let key = verify::key(&head, &signed, |_| Ok(key()), at).unwrap();
    verify::body(request, &signed, &key, 1000, false).await.is_ok()
}

#[tokio::test]
async fn a_call_that_is_signed_again_passes_verification() {
    let hello = || VerifiedBody::Whole(Bytes::from_static(b"hello"));
    let stream = || VerifiedBody::Stream(Body::from("hello"));
    for uri in ["/a/b", "/a%20b/../c//d+e?x=a%2Fb&acl", "/%C3%BC!*'()"] {
        for service in ["s3", "secretsmanager", "lambda"] {
            let signed = signed_for(service);
            assert!(taken(sign(uri, hello(), &signed)).await, "{service} {uri}");
        }
        assert!(taken(sign(uri, stream(), &client())).await, "{uri}");
    }
}

#[tokio::test]
async fn a_chunked_body_is_decoded_before_it_is_signed_again() {
    let decoded = Decoded {
        data: Bytes::from_static(b"hello"),
        trailers: vec![
            ("x-amz-checksum-crc32".to_owned(), "NhCmhg==".to_owned()),
            ("x-amz-acl".to_owned(), "public-read".to_owned()),
        ],
    };
    let request = sign("/a/b", VerifiedBody::Decoded(decoded), &client());
    let headers = request.headers();
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["x-amz-checksum-crc32"], "NhCmhg==");
    assert_eq!(headers["x-amz-acl"], "private");
    for gone in ["content-length", "x-amz-decoded-content-length", "x-amz-trailer"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
    assert!(!headers.contains_key("x-amz-security-token"));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "hello");
}

#[test]
fn a_presigned_url_loses_its_signature() {
    let place = SignaturePlacement::Query { expires: 60 };
    let own = "/a%20b?X-Amz-Algorithm=A&X-Amz-Signature=B&X-Amz-Security-Token=C&versionId=7";
    let sent = uri(&own.parse().unwrap(), place).unwrap();
    assert_eq!(sent, "/a%20b?versionId=7");
    assert_eq!(uri(&"/a?X-Amz-Signature=B".parse().unwrap(), place).unwrap(), "/a");
    assert_eq!(uri(&"/a?x=%2f".parse().unwrap(), SignaturePlacement::Headers).unwrap(), "/a?x=%2f");
}
