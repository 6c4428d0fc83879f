//! The import against a small EKS on this machine, which is strict about paths, pages and signatures.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use jiff::{civil::DateTime, tz::TimeZone};
use podrole_agent::http_client::HttpClients;
use serde_json::{Value, json};

use super::*;
use crate::{associations::manifest, aws_api::AwsApi};

/// A scripted EKS with one cluster, `shop`.
#[derive(Clone, Default)]
struct FakeEks(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    /// By id.
    associations: BTreeMap<String, Value>,
    /// Answers before all others.
    first: Vec<(u16, &'static str)>,
    /// Associations that are listed and deleted.
    deleted: Vec<String>,
    requests: Vec<String>,
    /// Whether each page names the same next one.
    repeats: bool,
}

fn keys(secret: &str) -> Credentials {
    Credentials::new("AKIDEXAMPLE", secret, Some("token".to_owned()), None, "test")
}

/// Signs the request again, and compares.
fn is_signed(request: &Request, url: &str) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|it| it.to_str().ok());
    let Some(date) = header("x-amz-date") else { return false };
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", date).unwrap();
    let time: SystemTime = time.to_zoned(TimeZone::UTC).unwrap().timestamp().into();
    let identity = keys("secret").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("eks")
        .time(time)
        .settings(SigningSettings::default());
    let params = params.build().unwrap().into();
    let body = SignableBody::Bytes(&[]);
    let signable = SignableRequest::new("GET", url, std::iter::empty(), body).unwrap();
    let (signing, _) = sign(signable, &params).unwrap().into_parts();
    let mut again = http::Request::get(url).body(()).unwrap();
    signing.apply_to_request_http1x(&mut again);
    let signed = |name: &str| again.headers().get(name).and_then(|it| it.to_str().ok());
    ["authorization", "x-amz-security-token"].iter().all(|name| header(name) == signed(name))
}

fn error(status: u16, code: &str) -> Response {
    let body = json!({ "message": format!("says {code}") }).to_string();
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("x-amzn-errortype", format!("com.amazonaws.eks#{code}:http://internal"))], body)
        .into_response()
}

async fn answer(State(eks): State<FakeEks>, request: Request) -> Response {
    let host = request.headers()["host"].to_str().unwrap().to_owned();
    let uri = request.uri().clone();
    let mut script = eks.0.lock().unwrap();
    script.requests.push(uri.to_string());
    if request.method() != "GET" {
        return error(405, "Method");
    }
    if !is_signed(&request, &format!("http://{host}{uri}")) {
        return error(403, "InvalidSignatureException");
    }
    if let Some((status, code)) = script.first.pop() {
        return error(status, code);
    }
    let Some(rest) = uri.path().strip_prefix("/clusters/shop/pod-identity-associations") else {
        return error(404, "ResourceNotFoundException");
    };
    if let Some(id) = rest.strip_prefix('/') {
        let found =
            script.associations.get(id).filter(|_| !script.deleted.contains(&id.to_owned()));
        return match found {
            Some(association) => json!({ "association": association }).to_string().into_response(),
            None => error(404, "ResourceNotFoundException"),
        };
    }
    let query: BTreeMap<String, String> =
        serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap();
    let mut names: Vec<&str> = query.keys().map(String::as_str).collect();
    names.retain(|name| *name != "nextToken");
    let first = match query.get("nextToken") {
        None => Some(0),
        Some(token) => token.strip_prefix("page+/=&").and_then(|from| from.parse().ok()),
    };
    let (["maxResults"], Some("100"), Some(first), "") =
        (names.as_slice(), query.get("maxResults").map(String::as_str), first, rest)
    else {
        return error(400, "InvalidParameterException");
    };
    let all: Vec<_> = script.associations.values().collect();
    let page: Vec<Value> = all.iter().skip(first).take(100).map(|it| summary(it)).collect();
    let next = (first + 100 < all.len()).then(|| format!("page+/=&{}", first + 100));
    let next = if script.repeats { Some("page+/=&0".to_owned()) } else { next };
    json!({ "associations": page, "nextToken": next }).to_string().into_response()
}

fn summary(association: &Value) -> Value {
    json!({ "clusterName": "shop", "associationId": association["associationId"] })
}

impl FakeEks {
    fn with(count: usize) -> Self {
        let eks = Self::default();
        for index in 0..count {
            let id = format!("a-{index:05}");
            let association = json!({
                "clusterName": "shop", "namespace": "shop", "serviceAccount": format!("app-{index}"),
                "roleArn": "arn:aws:iam::111122223333:role/app", "associationId": id,
                "associationArn": format!("arn:aws:eks:eu-west-1:111122223333:podidentityassociation/shop/{id}"),
                "createdAt": 1_770_000_000.5, "modifiedAt": 1_770_000_000.5, "tags": {},
            });
            eks.0.lock().unwrap().associations.insert(id, association);
        }
        eks
    }

    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// The import from this EKS.
    async fn collect(&self, cluster: &str, secret: &str) -> (anyhow::Result<Merged>, Counts) {
        podrole_runtime::crypto::install();
        let provider = SharedCredentialsProvider::new(keys(secret));
        let connector = HttpClients::default().connector();
        let pause = Duration::from_millis(1);
        let url = self.start().await;
        let eks = Eks::by(AwsApi::at(api::EKS, &url, "eu-west-1", provider, connector, pause));
        let (counts, progress) = (Counts::default(), Progress::new(true));
        let cluster = cluster.parse().unwrap();
        let merged = collect(&eks, &cluster, pause, &progress, &counts).await;
        (merged, counts)
    }

    fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }
}

#[tokio::test]
async fn all_pages_are_listed_and_each_association_is_described() {
    let eks = FakeEks::with(250);
    let (merged, counts) = eks.collect("shop", "secret").await;
    let all = merged.unwrap().finish().unwrap();
    assert_eq!((all.len(), counts.listed.get(), counts.described.get()), (250, 250, 250));
    let requests = eks.requests();
    assert_eq!(requests.len(), 253);
    assert_eq!(
        requests[..4],
        [
            "/clusters/shop/pod-identity-associations?maxResults=100",
            "/clusters/shop/pod-identity-associations?maxResults=100&nextToken=page%2B%2F%3D%26100",
            "/clusters/shop/pod-identity-associations?maxResults=100&nextToken=page%2B%2F%3D%26200",
            "/clusters/shop/pod-identity-associations/a-00000",
        ]
    );
    let expected = "apiVersion: podrole.io/v1alpha1
kind: PodIdentityAssociation
metadata:
  name: shop.app-0
  annotations:
    podrole.io/eks-association-arn: arn:aws:eks:eu-west-1:111122223333:podidentityassociation/shop/a-00000
    podrole.io/eks-association-id: a-00000
spec:
  namespace: shop
  serviceAccount: app-0
  roleARN: arn:aws:iam::111122223333:role/app
";
    assert_eq!(manifest::yaml(&all[..1]), expected);
}

#[tokio::test]
async fn a_throttled_call_is_made_again() {
    let eks = FakeEks::with(2);
    eks.0.lock().unwrap().first = vec![
        (429, "TooManyRequestsException"),
        (400, "ThrottlingException"),
        (500, "ServerException"),
    ];
    assert_eq!(eks.collect("shop", "secret").await.0.unwrap().finish().unwrap().len(), 2);
    assert_eq!(eks.requests().len(), 6);
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_says_how_far_it_came() {
    let eks = FakeEks::with(2);
    let (merged, counts) = eks.collect("shop", "other").await;
    assert_eq!(
        merged.unwrap_err().to_string(),
        "EKS refuses the call: InvalidSignatureException: says InvalidSignatureException"
    );
    assert_eq!(eks.requests().len(), 1);
    let missing = "described 0 of 0 associations; 0 are missing, and nothing is printed";
    assert_eq!(counts.missing(), missing);
    let (merged, _) = eks.collect("none", "secret").await;
    assert!(merged.unwrap_err().to_string().contains("ResourceNotFoundException"));
    let (merged, _) = eks.collect("shop", "secret").await;
    merged.unwrap();
}

#[tokio::test]
async fn what_was_deleted_meanwhile_is_noted() {
    let eks = FakeEks::with(3);
    eks.0.lock().unwrap().deleted.push("a-00001".to_owned());
    let merged = eks.collect("shop", "secret").await.0.unwrap();
    assert_eq!(merged.notes(), ["association a-00001 was deleted meanwhile"]);
    assert_eq!(merged.finish().unwrap().len(), 2);
}

#[tokio::test]
async fn an_association_that_cannot_be_imported_is_named() {
    let eks = FakeEks::with(1);
    eks.0.lock().unwrap().associations.values_mut().next().unwrap()["roleArn"] = json!("app");
    let errors = eks.collect("shop", "secret").await.0.unwrap().finish().unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "association a-00000 of EKS cluster shop: shop/app-0: roleArn: it is not an ARN \
         (arn:aws:iam::<account>:role/<name>)"
    );
}

#[tokio::test]
async fn ids_and_pages_of_a_strange_eks_end_the_import() {
    let eks = FakeEks::with(1);
    let strange = json!({ "associationId": "../../clusters" });
    eks.0.lock().unwrap().associations.insert("x".to_owned(), strange);
    let error = eks.collect("shop", "secret").await.0.unwrap_err().to_string();
    assert_eq!(error, "EKS lists the id \"../../clusters\"");
    let eks = FakeEks::with(1);
    eks.0.lock().unwrap().repeats = true;
    let error = eks.collect("shop", "secret").await.0.unwrap_err().to_string();
    assert_eq!(error, "EKS repeats a page of its list");
}

#[test]
fn an_interrupted_import_says_how_many_are_missing() {
    let counts = Counts::default();
    counts.listed.set(1240);
    counts.described.set(300);
    assert_eq!(
        counts.missing(),
        "described 300 of 1,240 associations; 940 are missing, and nothing is printed"
    );
}
