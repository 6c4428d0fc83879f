//! Scripted STS and EKS Auth, which answer after 50 ms.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{Script, StsMode};

const LATENCY: Duration = Duration::from_millis(50);
const KEY: &str = "ASIABENCHBENCHBENCH";
const SECRET: &str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn";

pub(crate) fn router(script: Arc<Script>) -> Router {
    let eks = "/clusters/{name}/assume-role-for-pod-identity";
    Router::new().route("/", post(sts)).route(eks, post(eks_auth)).with_state(script)
}

/// A session token about as long as AWS's.
fn session_token() -> String {
    "x".repeat(1000)
}

fn expires_at(script: &Script) -> Timestamp {
    let seconds = script.session_seconds.load(SeqCst);
    let lifetime = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(3600));
    podrole_runtime::clock::now() + lifetime
}

async fn sts(State(script): State<Arc<Script>>, body: String) -> (StatusCode, String) {
    sleep(LATENCY).await;
    let action = if body.contains("Action=AssumeRoleWithWebIdentity") {
        "AssumeRoleWithWebIdentity"
    } else {
        "AssumeRole"
    };
    match script.call(&body) {
        StsMode::Succeed => (StatusCode::OK, session(action, expires_at(&script))),
        StsMode::Deny => sts_error(StatusCode::FORBIDDEN, "AccessDenied"),
        StsMode::Unavailable => sts_error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        StsMode::RejectToken => sts_error(StatusCode::BAD_REQUEST, "InvalidIdentityToken"),
    }
}

fn sts_error(status: StatusCode, code: &str) -> (StatusCode, String) {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code></Error>");
    (status, format!("<ErrorResponse>{error}</ErrorResponse>"))
}

fn session(action: &str, expires: Timestamp) -> String {
    let token = session_token();
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <Credentials><AccessKeyId>{KEY}</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey>\
         <SessionToken>{token}</SessionToken><Expiration>{expires:.0}</Expiration></Credentials>\
         </{action}Result></{action}Response>"
    )
}

async fn eks_auth(State(script): State<Arc<Script>>, Json(request): Json<Value>) -> Response {
    sleep(LATENCY).await;
    let token = request["token"].as_str().unwrap_or_default();
    match script.call(token) {
        StsMode::Succeed => Json(pod_identity(&claims(token), expires_at(&script))).into_response(),
        StsMode::Deny => eks_error(StatusCode::BAD_REQUEST, "AccessDeniedException"),
        StsMode::Unavailable => {
            eks_error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException")
        }
        StsMode::RejectToken => eks_error(StatusCode::BAD_REQUEST, "InvalidTokenException"),
    }
}

fn eks_error(status: StatusCode, code: &str) -> Response {
    (status, [("x-amzn-errortype", code)], Json(json!({"message": "by script"}))).into_response()
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    payload.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}

fn pod_identity(claims: &Value, expires: Timestamp) -> Value {
    let kubernetes = &claims["kubernetes.io"];
    let arn = "arn:aws:sts::111122223333:assumed-role/bench/eks-bench-pod";
    json!({
        "subject": {
            "namespace": kubernetes["namespace"],
            "serviceAccount": kubernetes["serviceaccount"]["name"],
        },
        "audience": "pods.eks.amazonaws.com",
        "podIdentityAssociation": {
            "associationArn": "arn:aws:eks:eu-west-1:111122223333:podidentityassociation/bench/a-1",
            "associationId": "a-1",
        },
        "assumedRoleUser": {"arn": arn, "assumeRoleId": "AROABENCH:eks-bench-pod"},
        "credentials": {
            "accessKeyId": KEY, "secretAccessKey": SECRET, "sessionToken": session_token(),
            "expiration": expires.as_second(),
        },
    })
}
