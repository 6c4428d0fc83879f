//! The issuer's HTTP routes: its two documents, and for tests tokens and key rotation.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::{SignedDuration, Timestamp};
use podrole_identity::{Audience, ServiceAccountError, ServiceAccountRef};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Issuer, IssuerError, NodeRef, PodRef, TokenRequest};
use crate::random;

/// Seconds: one hour, Kubernetes's default.
const DEFAULT_EXPIRATION: u32 = 3600;

/// The body of `POST /_podrole/tokens`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenRequestBody {
    namespace: String,
    service_account: String,
    service_account_uid: Option<String>,
    audiences: Option<Vec<Audience>>,
    expiration_seconds: Option<u32>,
    pod: Option<NameOrRef>,
    node: Option<NameOrRef>,
}

/// A pod or a node: only its name, or its name and UID.
#[derive(Deserialize)]
#[serde(untagged)]
enum NameOrRef {
    Name(String),
    Whole { name: String, uid: String },
}

/// The routes that a cluster's issuer has.
pub(crate) fn documents(issuer: &Issuer) -> Router {
    let (discovery, keys) = issuer.paths();
    Router::new()
        .route(&discovery, get(document))
        .route(&keys, get(jwks))
        .with_state(issuer.clone())
}

/// The routes that no cluster has: tokens and key rotation.
pub(crate) fn router(issuer: &Issuer) -> Router {
    Router::new()
        .route("/_podrole/tokens", post(tokens))
        .route("/_podrole/rotate", post(rotate))
        .with_state(issuer.clone())
}

async fn document(State(issuer): State<Issuer>) -> Json<Value> {
    Json(issuer.discovery())
}

async fn jwks(State(issuer): State<Issuer>) -> Json<Value> {
    Json(issuer.jwks())
}

/// Issues a token. The response is the bare token, for shells, or a TokenRequest's status if the client
/// accepts JSON.
async fn tokens(State(issuer): State<Issuer>, headers: HeaderMap, body: Bytes) -> Response {
    let now = podrole_runtime::clock::now();
    let minted = read(&body).and_then(|request| {
        let token = issuer.mint(&request, now)?;
        Ok((token, expiration(&request, now)))
    });
    match minted {
        Ok((token, expiration)) if wants_json(&headers) => {
            Json(json!({"status": {"token": token, "expirationTimestamp": expiration}}))
                .into_response()
        }
        Ok((token, _)) => ([(header::CONTENT_TYPE, "application/jwt")], token).into_response(),
        Err(error) => bad_request(&error.to_string()),
    }
}

/// `POST /_podrole/rotate` adds a new signing key. With `?drop=old` it drops the old keys instead.
async fn rotate(State(issuer): State<Issuer>, RawQuery(query): RawQuery) -> Response {
    match query.as_deref() {
        Some("drop=old") => issuer.drop_old_keys(),
        None | Some("") => {
            if let Err(error) = new_key(issuer.clone()).await {
                return (StatusCode::INTERNAL_SERVER_ERROR, message(&error.to_string()))
                    .into_response();
            }
        }
        Some(_) => return bad_request("the query must be drop=old or empty"),
    }
    Json(issuer.jwks()).into_response()
}

/// Generating an RSA key takes about 100 ms of CPU time, too long for a thread of the async runtime.
async fn new_key(issuer: Issuer) -> Result<(), IssuerError> {
    let made = tokio::task::spawn_blocking(move || issuer.rotate()).await;
    made.unwrap_or(Err(IssuerError::Crypto("make an RSA key")))
}

/// Why no token is issued.
#[derive(Debug, thiserror::Error)]
enum TokenRequestError {
    #[error(
        "{0}; send {{\"namespace\", \"serviceAccount\"}} and, if needed, audiences, \
         expirationSeconds, pod, node, serviceAccountUid"
    )]
    Body(#[from] serde_json::Error),
    #[error(transparent)]
    ServiceAccount(#[from] ServiceAccountError),
    #[error(transparent)]
    Issuer(#[from] IssuerError),
}

fn read(body: &[u8]) -> Result<TokenRequest, TokenRequestError> {
    let request: TokenRequestBody = serde_json::from_slice(body)?;
    let account = ServiceAccountRef::new(&request.namespace, &request.service_account)?;
    let uid = || random::fixed_uuid(&account.subject());
    let within = |kind: &str, named: NameOrRef| named.parts(kind, account.namespace());
    let pod = request.pod.map(|pod| within("pod", pod));
    let node = request.node.map(|node| within("node", node));
    Ok(TokenRequest {
        service_account_uid: request.service_account_uid.unwrap_or_else(uid),
        audiences: request.audiences.unwrap_or_else(|| vec![Audience::sts()]),
        expiration_seconds: request.expiration_seconds.unwrap_or(DEFAULT_EXPIRATION),
        pod: pod.map(|(name, uid)| PodRef { name, uid }),
        node: node.map(|(name, uid)| NodeRef { name, uid }),
        service_account: account,
    })
}

impl NameOrRef {
    /// Name and UID. Without a UID it is derived from the name, so that it is always the same.
    fn parts(self, kind: &str, namespace: &str) -> (String, String) {
        match self {
            Self::Name(name) => {
                let uid = random::fixed_uuid(&format!("{kind} {namespace}/{name}"));
                (name, uid)
            }
            Self::Whole { name, uid } => (name, uid),
        }
    }
}

fn expiration(request: &TokenRequest, now: Timestamp) -> String {
    let life = SignedDuration::from_secs(request.expiration_seconds.into());
    format!("{:.0}", now.saturating_add(life).unwrap_or(now))
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("json"))
}

fn bad_request(text: &str) -> Response {
    (StatusCode::BAD_REQUEST, message(text)).into_response()
}

fn message(text: &str) -> Json<Value> {
    Json(json!({"message": text}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_request_is_parsed_strictly() {
        let request = read(br#"{"namespace": "shop", "serviceAccount": "app", "pod": "app-1"}"#);
        let request = request.unwrap();
        assert_eq!(request.service_account.to_string(), "shop/app");
        assert_eq!(request.audiences, [Audience::sts()]);
        assert_eq!(request.expiration_seconds, 3600);
        let pod = request.pod.unwrap();
        assert_eq!((pod.name.as_str(), pod.uid.len()), ("app-1", 36));
        for (body, why) in [
            (&b"{}"[..], "namespace"),
            (b"[]", "send {"),
            (b"\xff", "send {"),
            (br#"{"namespace": "shop", "serviceAccount": "app", "tags": {}}"#, "tags"),
            (br#"{"namespace": "SHOP", "serviceAccount": "app"}"#, "namespace"),
            (br#"{"namespace": "a", "serviceAccount": "b", "audiences": [""]}"#, "audience"),
        ] {
            let error = read(body).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
