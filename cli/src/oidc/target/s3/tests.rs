//! Against a small S3 on this machine. Signatures are verified in `tests/local`, by the sandbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use podrole_agent::http_client::HttpClients;

use super::*;

/// A bucket, and what may not be done with it.
#[derive(Clone, Default)]
pub(crate) struct FakeS3(Arc<Mutex<Bucket>>);

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, (Vec<u8>, Option<String>)>,
    /// `GET /bucket/a`
    denied: BTreeSet<String>,
    /// The status and code of the next answers.
    first: Vec<(u16, &'static str)>,
    writes: Vec<String>,
}

fn error(status: u16, code: &str) -> Response {
    let xml = format!("<Error><Code>{code}</Code><Message>says {code}</Message></Error>");
    (StatusCode::from_u16(status).unwrap(), xml).into_response()
}

async fn answer(
    State(s3): State<FakeS3>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let mut bucket = s3.0.lock().unwrap();
    let is_signed =
        headers.contains_key("authorization") && headers.contains_key("x-amz-content-sha256");
    if !is_signed || bucket.denied.contains(&format!("{method} {path}")) {
        return error(403, "AccessDenied");
    }
    if let Some((status, code)) = bucket.first.pop() {
        return error(status, code);
    }
    if method == Method::GET {
        return match bucket.objects.get(&path) {
            Some((body, Some(kind))) => {
                ([("content-type", kind.clone())], body.clone()).into_response()
            }
            Some((body, None)) => body.clone().into_response(),
            None => error(404, "NoSuchKey"),
        };
    }
    let header = |name: &str| headers.get(name).map(|it| it.to_str().unwrap().to_owned());
    assert_eq!(
        (method, header("cache-control").as_deref()),
        (Method::PUT, Some("public, max-age=300"))
    );
    bucket.writes.push(path.clone());
    bucket.objects.insert(path, (body.to_vec(), header("content-type")));
    StatusCode::OK.into_response()
}

impl FakeS3 {
    pub(crate) async fn target(&self) -> S3Target {
        podrole_runtime::crypto::install();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let provider = SharedCredentialsProvider::new(keys);
        let connector = HttpClients::default().connector();
        let pause = Duration::from_millis(1);
        let (endpoint, base) = place("bucket", "a/b", Some(&url), "eu-west-1");
        let api = AwsApi::at(S3, &endpoint, "eu-west-1", provider, connector, pause);
        S3Target::by(api, base, "bucket", "a/b")
    }

    pub(crate) fn deny(&self, request: &str) {
        self.0.lock().unwrap().denied.insert(request.to_owned());
    }

    pub(crate) fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().writes)
    }

    pub(crate) fn put(&self, path: &str, body: &[u8], kind: &str) {
        let object = (body.to_vec(), Some(kind.to_owned()));
        self.0.lock().unwrap().objects.insert(path.to_owned(), object);
    }
}

#[tokio::test]
async fn a_document_is_written_as_json_and_read_again() {
    let s3 = FakeS3::default();
    let target = s3.target().await;
    assert_eq!(target.read("c").await.unwrap(), None);
    target.write("c", "{}").await.unwrap();
    assert_eq!(s3.writes(), ["/bucket/a/b/c"]);
    let document = target.read("c").await.unwrap().unwrap();
    assert_eq!(document, Document { body: b"{}".to_vec(), is_json: Some(true) });
    s3.put("/bucket/a/b/c", b"{}", "binary/octet-stream");
    assert_eq!(target.read("c").await.unwrap().unwrap().is_json, Some(false));
}

#[tokio::test]
async fn a_refusal_says_what_to_allow_and_is_never_taken_for_a_missing_object() {
    let s3 = FakeS3::default();
    s3.deny("GET /bucket/a/b/c");
    s3.deny("PUT /bucket/a/b/c");
    let target = s3.target().await;
    let read = target.read("c").await.unwrap_err().to_string();
    assert_eq!(
        read,
        "could not read s3://bucket/a/b/c: S3 answers AccessDenied: says AccessDenied; allow s3:GetObject, and \
         s3:ListBucket on the bucket, without which S3 answers the same for an object that is not there"
    );
    let write = target.write("c", "").await.unwrap_err().to_string();
    assert!(write.ends_with("says AccessDenied; allow s3:PutObject"), "{write}");
    s3.0.lock().unwrap().first = vec![(404, "NoSuchBucket")];
    let bucket = target.read("d").await.unwrap_err().to_string();
    assert!(bucket.contains("NoSuchBucket"), "{bucket}");
    s3.0.lock().unwrap().first = vec![(301, "PermanentRedirect")];
    let region = target.read("d").await.unwrap_err().to_string();
    assert!(region.ends_with("set AWS_REGION to the bucket's region"), "{region}");
}

#[tokio::test]
async fn a_busy_s3_is_asked_again() {
    let s3 = FakeS3::default();
    s3.0.lock().unwrap().first = vec![(503, "SlowDown"), (500, "InternalError")];
    s3.target().await.write("c", "{}").await.unwrap();
}

#[test]
fn each_bucket_has_awss_endpoint_or_the_one_that_is_set() {
    let place = |bucket, prefix, url, region| {
        let (endpoint, base) = place(bucket, prefix, url, region);
        format!("{endpoint}{base}")
    };
    assert_eq!(place("b", "a/b", None, "eu-west-1"), "https://b.s3.eu-west-1.amazonaws.com/a/b/");
    assert_eq!(place("b", "", None, "cn-north-1"), "https://b.s3.cn-north-1.amazonaws.com.cn/");
    assert_eq!(place("b.c", "a", None, "eu-west-1"), "https://s3.eu-west-1.amazonaws.com/b.c/a/");
    assert_eq!(place("b", "a", Some("http://127.0.0.1:9000/"), "x"), "http://127.0.0.1:9000/b/a/");
}
