//! An STS that answers by script, in STS's own XML.

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
pub(crate) struct Sts(Arc<Inner>);

struct Inner {
    url: String,
    calls: AtomicUsize,
    delay: AtomicU64,
    fault: Mutex<Option<(u16, &'static str)>>,
    seen: Mutex<Vec<String>>,
}

impl Sts {
    pub(crate) async fn start() -> Self {
        let loopback = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(loopback, Limits::default()).await.unwrap();
        let sts = Self(Arc::new(Inner {
            url: format!("http://{}", server.address()),
            calls: AtomicUsize::new(0),
            delay: AtomicU64::new(0),
            fault: Mutex::default(),
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
        *self.0.fault.lock().unwrap() = Some((status, code));
    }

    /// The bodies that were sent, and whether anything was signed.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.0.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State(sts): State<Sts>,
    headers: axum::http::HeaderMap,
    body: String,
) -> (StatusCode, String) {
    sts.0.calls.fetch_add(1, SeqCst);
    let signed = headers.contains_key("authorization");
    sts.0.seen.lock().unwrap().push(format!("{body}&signed={signed}"));
    tokio::time::sleep(Duration::from_millis(sts.0.delay.load(SeqCst))).await;
    let fault = *sts.0.fault.lock().unwrap();
    if let Some((status, code)) = fault {
        // An STS that repeats what it was sent, as none should.
        let body = body.replace('&', "&amp;");
        let xml = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{body} says arn:aws:iam::999:user/other</Message></Error></ErrorResponse>"
        );
        return (StatusCode::from_u16(status).unwrap(), xml);
    }
    let expires = podrole_runtime::clock::now() + jiff::SignedDuration::from_hours(1);
    let xml = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAFROMSTS</AccessKeyId>\
         <SecretAccessKey>secret-from-sts</SecretAccessKey>\
         <SessionToken>session-from-sts</SessionToken><Expiration>{expires}</Expiration>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    (StatusCode::OK, xml)
}
