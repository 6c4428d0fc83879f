//! A gate before a server: it counts the requests that matter, and spoils some as a test says.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, stream};
use jiff::SignedDuration;
use podrole_runtime::clock::now;
use serde_json::Value;
use tokio::time::sleep;

const BODY: usize = 128 * 1024;

/// Which requests it watches; others pass.
#[derive(Clone, Copy)]
pub(crate) enum Watch {
    /// Those to this path. Their bodies are not touched.
    Path(&'static str),
    /// Calls of this action to STS.
    Action(&'static str),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// STS's error of this status and code.
    Answer(u16, &'static str),
    /// The right answer, so much later.
    Late(Duration),
    /// The answer of an STS whose clock is so many seconds ahead.
    Ahead(i64),
    /// No answer ever.
    Stalled,
    /// The agent's right answer, but that its credentials end in 5 s.
    Dying,
    /// The connection ends without an answer.
    Reset,
    /// Half of the right answer under the length of the whole; then the connection ends.
    Half,
}

/// An answer that went out.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The token that had come: in `Authorization`, or in STS's parameter.
    pub(crate) token: String,
}

/// Clones are the same gate.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    watch: Watch,
    state: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    next: VecDeque<Fault>,
    always: Option<Fault>,
    requests: usize,
    answered: Vec<Answered>,
}

impl Gate {
    pub(crate) fn new(watch: Watch) -> Self {
        Self(Arc::new(Inner { watch, state: Mutex::default() }))
    }

    /// The router behind this gate.
    pub(crate) fn before(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), pass))
    }

    /// Spoils the next `times` requests.
    pub(crate) fn spoil(&self, times: usize, fault: Fault) {
        self.lock().next.extend(std::iter::repeat_n(fault, times));
    }

    /// Spoils every request from now on.
    pub(crate) fn spoil_all(&self, fault: Fault) {
        self.lock().always = Some(fault);
    }

    /// Spoils every request for so long.
    pub(crate) fn spoil_for(&self, time: Duration, fault: Fault) {
        self.spoil_all(fault);
        let gate = self.clone();
        tokio::spawn(async move {
            sleep(time).await;
            gate.lock().always = None;
        });
    }

    /// How many requests came since the last time this was asked.
    pub(crate) fn requests(&self) -> usize {
        std::mem::take(&mut self.lock().requests)
    }

    /// The answers that went out since the last time this was asked.
    pub(crate) fn answered(&self) -> Vec<Answered> {
        std::mem::take(&mut self.lock().answered)
    }

    /// Whether a request with this token was answered.
    pub(crate) fn saw(&self, token: &str) -> bool {
        self.lock().answered.iter().any(|answered| answered.token == token)
    }

    fn arrive(&self) -> Option<Fault> {
        let mut script = self.lock();
        script.requests += 1;
        script.next.pop_front().or(script.always)
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (request, watched) = match gate.0.watch {
        Watch::Path(path) => {
            let token = request.headers().get(header::AUTHORIZATION).map(HeaderValue::to_str);
            let token = token.and_then(Result::ok).unwrap_or_default().to_owned();
            let watched = request.uri().path() == path;
            (request, watched.then_some(token))
        }
        Watch::Action(action) => read(request, action).await,
    };
    let Some(token) = watched else {
        return next.run(request).await;
    };
    let response = match gate.arrive() {
        None => next.run(request).await,
        Some(Fault::Answer(status, code)) => refusal(status, code),
        Some(Fault::Late(delay)) => {
            sleep(delay).await;
            next.run(request).await
        }
        Some(Fault::Ahead(seconds)) => {
            let mut request = request;
            if let Ok(skew) = HeaderValue::from_str(&format!("clockSkew={seconds}s")) {
                request.headers_mut().insert("x-podrole-fault", skew);
            }
            next.run(request).await
        }
        Some(Fault::Stalled) => std::future::pending().await,
        Some(Fault::Dying) => dying(next.run(request).await).await,
        Some(Fault::Reset) => broken(None),
        Some(Fault::Half) => half(next.run(request).await).await,
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    gate.lock().answered.push(Answered { status, headers, token });
    response
}

/// The token of a request that calls `action`, in its query or its body.
async fn read(request: Request, action: &str) -> (Request, Option<String>) {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY).await.unwrap_or_default();
    let words = format!("{}&{}", parts.uri.query().unwrap_or(""), String::from_utf8_lossy(&body));
    let wanted = format!("Action={action}");
    let token = words.split('&').find_map(|word| word.strip_prefix("WebIdentityToken="));
    let watched = words.split('&').any(|word| word == wanted);
    let token = watched.then(|| token.unwrap_or_default().to_owned());
    (Request::from_parts(parts, Body::from(body)), token)
}

/// The same credentials, about to expire: a client that uses them asks again the next time.
async fn dying(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, BODY).await.unwrap_or_default();
    let mut json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let end = now() + SignedDuration::from_secs(5);
    json["Expiration"] = end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    (parts.status, [(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

async fn half(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let whole = to_bytes(body, BODY).await.unwrap_or_default();
    let mut half = broken(Some(whole[..whole.len() / 2].to_vec()));
    *half.headers_mut() = parts.headers;
    half.headers_mut().insert(header::CONTENT_LENGTH, whole.len().into());
    half
}

/// A body that fails behind `first`: the server drops the connection. Without it, nothing is said.
fn broken(first: Option<Vec<u8>>) -> Response {
    let is_sent = first.is_some();
    let end = stream::once(async move {
        if is_sent {
            // It goes out before the connection does.
            tokio::task::yield_now().await;
        }
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(stream::iter(first.map(Ok)).chain(end)).into_response()
}

/// An error in STS's XML.
fn refusal(status: u16, code: &str) -> Response {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let xml = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
         <Type>{kind}</Type><Code>{code}</Code><Message>as the test wants it</Message></Error>\
         <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ErrorResponse>"
    );
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "text/xml")], xml).into_response()
}
