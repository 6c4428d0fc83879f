//! A scripted STS that answers in STS's XML.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use podrole_runtime::serve::{Limits, Server};
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub(crate) struct FakeSts(Arc<StsState>);

struct StsState {
    url: String,
    calls: AtomicUsize,
    delay: AtomicU64,
    error: Mutex<Option<(u16, &'static str)>>,
    /// The errors of requests that contain a text.
    errors: Mutex<Vec<(&'static str, u16, &'static str)>>,
    seen: Mutex<Vec<String>>,
}

impl FakeSts {
    pub(crate) async fn start() -> Self {
        let loopback = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(loopback, Limits::default()).await.unwrap();
        let sts = Self(Arc::new(StsState {
            url: format!("http://{}", server.address()),
            calls: AtomicUsize::new(0),
            delay: AtomicU64::new(0),
            error: Mutex::default(),
            errors: Mutex::default(),
            seen: Mutex::default(),
        }));
        let router = Router::new().route("/", post(answer)).with_state(sts.clone());
        tokio::spawn(server.run(router, CancellationToken::new()));
        sts
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(SeqCst)
    }

    pub(crate) fn answers_after(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap();
        self.0.delay.store(delay, SeqCst);
    }

    pub(crate) fn fails_with(&self, status: u16, code: &'static str) {
        *self.0.error.lock().unwrap() = Some((status, code));
    }

    /// Requests that contain `part` fail.
    pub(crate) fn fails_at(&self, part: &'static str, status: u16, code: &'static str) {
        self.0.errors.lock().unwrap().push((part, status, code));
    }

    pub(crate) fn works_again(&self) {
        *self.0.error.lock().unwrap() = None;
        self.0.errors.lock().unwrap().clear();
    }

    /// The bodies of the requests, with the key that signed each.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.0.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State(sts): State<FakeSts>,
    headers: axum::http::HeaderMap,
    body: String,
) -> (StatusCode, String) {
    sts.0.calls.fetch_add(1, SeqCst);
    let key = signed_with(&headers);
    let signed = key.is_some();
    let key = key.unwrap_or_default();
    sts.0.seen.lock().unwrap().push(format!("{body}&signed={signed}&key={key}"));
    tokio::time::sleep(Duration::from_millis(sts.0.delay.load(SeqCst))).await;
    let error = *sts.0.error.lock().unwrap();
    let errors = sts.0.errors.lock().unwrap().clone();
    let at = errors.iter().find(|(part, ..)| body.contains(part));
    if let Some((status, code)) = error.or(at.map(|(_, status, code)| (*status, *code))) {
        // The message echoes the request, which must not end up in a log.
        let body = body.replace('&', "&amp;");
        let xml = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{body} says arn:aws:iam::999:user/other</Message></Error></ErrorResponse>"
        );
        return (StatusCode::from_u16(status).unwrap(), xml);
    }
    (StatusCode::OK, session(&body))
}

/// The ID of the key that signed the request, if one did.
fn signed_with(headers: &axum::http::HeaderMap) -> Option<String> {
    let signed = headers.get("authorization")?.to_str().unwrap();
    let (_, key) = signed.split_once("Credential=")?;
    Some(key.split('/').next()?.to_owned())
}

/// Credentials whose key's ID names the role: `ASIAFROMSTS` for `app`, `ASIAOFtarget` for `target`.
fn session(body: &str) -> String {
    let action =
        if body.contains("WebIdentity") { "AssumeRoleWithWebIdentity" } else { "AssumeRole" };
    let named = |field: &str| body.split('&').find_map(|part| part.strip_prefix(field));
    let role = named("RoleArn=").unwrap().replace("%3A", ":").replace("%2F", "/");
    let (account, name) = (&role[13..25], role.rsplit('/').next().unwrap());
    let key = if name == "app" { "FROMSTS".to_owned() } else { format!("OF{name}") };
    let session = named("RoleSessionName=").unwrap();
    let expires = podrole_runtime::clock::now() + jiff::SignedDuration::from_hours(1);
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <AssumedRoleUser><AssumedRoleId>AROA:{session}</AssumedRoleId><Arn>\
         arn:aws:sts::{account}:assumed-role/{name}/{session}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>ASIA{key}</AccessKeyId>\
         <SecretAccessKey>secret-from-sts</SecretAccessKey>\
         <SessionToken>session-from-sts</SessionToken><Expiration>{expires}</Expiration>\
         </Credentials></{action}Result></{action}Response>"
    )
}
