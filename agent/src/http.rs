//! `GET /v1/credentials`: what is let in, and how an answer leaves.

mod hosts;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
};
use futures::future::{BoxFuture, Either, FutureExt as _, Ready, ready};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::{
        ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING,
    },
};
use http_body_util::Full;
use podrole_identity::CREDENTIALS_PATH;
use podrole_runtime::serve::{Answerer, Incoming, Peer};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::{
    agent::Agent,
    answer::{self, ErrorAnswer},
    metrics::OK,
    refusal::Refusal,
    token::MAX_TOKEN_BYTES,
};

pub use hosts::Hosts;

type Response = http::Response<Full<Bytes>>;

/// A request's head is no longer than this.
const MAX_HEAD_BYTES: usize = 24 * 1024;
/// Ruby, C++ and PHP give up after 1 s, so every answer has left after 0.8 s.
const DEADLINE: Duration = Duration::from_millis(750);

/// What answers SDKs: one route, and JSON for everything else.
#[derive(Clone)]
pub struct Front(Arc<Agent>);

/// An answer, or the way to one that takes longer.
type Answered = Either<Ready<Response>, BoxFuture<'static, Response>>;

impl Front {
    /// The front of this agent.
    #[must_use]
    pub fn of(agent: &Arc<Agent>) -> Self {
        Self(Arc::clone(agent))
    }

    /// Who asks again for what it has is answered at once.
    fn answer_to<B>(&self, request: &Request<B>, peer: Option<IpAddr>) -> Answered {
        let answered = self.find_answer(request, peer);
        if !request.headers().contains_key(TRANSFER_ENCODING) {
            return answered;
        }
        // Where two may disagree on where a request ends, there is no next one.
        let close = |mut response: Response| {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        };
        answered.map(close).boxed().right_future()
    }

    fn find_answer<B>(&self, request: &Request<B>, peer: Option<IpAddr>) -> Answered {
        let begun = Instant::now();
        let token = match admit(request, self.0.hosts()) {
            Ok(token) => token,
            Err(error) => {
                self.0.metrics().request("http", begun.elapsed());
                return ready(refused("http", error)).left_future();
            }
        };
        if let Some(body) = self.0.again(token, peer) {
            self.0.metrics().request(OK, begun.elapsed());
            return ready(respond(StatusCode::OK, body)).left_future();
        }
        let agent = Arc::clone(&self.0);
        match read_token(token) {
            Ok(token) => ask(agent, token, peer, begun).boxed().right_future(),
            Err(error) => {
                agent.metrics().request("http", begun.elapsed());
                ready(refused("http", error)).left_future()
            }
        }
    }
}

impl Answerer for Front {
    type Body = Full<Bytes>;

    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response> + Send + use<> {
        self.answer_to(&request, Some(peer.ip()))
    }
}

/// The same as routes, to put beside others.
pub fn router(agent: Arc<Agent>) -> Router {
    let front = Front(agent);
    Router::new().fallback(async move |request: axum::extract::Request| {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
        front.answer_to(&request, peer).await.map(Body::new)
    })
}

async fn ask(
    agent: Arc<Agent>,
    token: Zeroizing<String>,
    peer: Option<IpAddr>,
    begun: Instant,
) -> Response {
    let asked = timeout(DEADLINE, agent.credentials(&token, peer)).await;
    let (outcome, response) = match asked.unwrap_or(Err(Refusal::StillFetching)) {
        Ok(body) => (OK, respond(StatusCode::OK, body)),
        Err(refusal) => {
            let outcome = refusal.outcome();
            (outcome, refused(outcome, answer::refusal(&refusal)))
        }
    };
    agent.metrics().request(outcome, begun.elapsed());
    response
}

/// What a request that may be looked at has for a token.
fn admit<'a, B>(request: &'a Request<B>, hosts: &Hosts) -> Result<&'a [u8], ErrorAnswer> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if head_bytes(uri, headers) > MAX_HEAD_BYTES {
        return Err(answer::error(431, "RequestTooLarge", "the request's head is over 24 kB"));
    }
    if uri.path() != CREDENTIALS_PATH {
        let message = format!("there is nothing here; ask for {CREDENTIALS_PATH}");
        return Err(answer::error(404, "NotFound", &message));
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(answer::error(405, "MethodNotAllowed", "use GET"));
    }
    if headers.get_all(HOST).iter().nth(1).is_some() {
        return Err(answer::error(400, "InvalidRequest", "send one Host header"));
    }
    check_host(uri, headers, hosts)?;
    find_token(headers)
}

/// A request's head as it is written without needless blanks.
fn head_bytes(uri: &Uri, headers: &HeaderMap) -> usize {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + ": ".len() + value.len() + "\r\n".len()
    };
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    "GET  HTTP/1.1\r\n\r\n".len() + target + headers.iter().map(header).sum::<usize>()
}

fn check_host(uri: &Uri, headers: &HeaderMap, hosts: &Hosts) -> Result<(), ErrorAnswer> {
    let named = headers.get_all(HOST).iter().map(HeaderValue::to_str);
    let named = named.chain(uri.authority().map(|name| Ok(name.as_str())));
    let mut seen = false;
    for name in named {
        if !name.is_ok_and(|name| hosts.allow(name)) {
            seen = false;
            break;
        }
        seen = true;
    }
    let message = "the request names another host; ask 169.254.170.23, [fd00:ec2::23] or the \
                   address that the agent is bound to";
    let error = || answer::error(403, "WrongHost", message);
    seen.then_some(()).ok_or_else(error)
}

fn no_token(message: &str) -> ErrorAnswer {
    answer::error(400, "InvalidToken", message)
}

/// The token as it was sent.
fn find_token(headers: &HeaderMap) -> Result<&[u8], ErrorAnswer> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(no_token("send one Authorization header"));
    }
    let sent = first.map_or(&[][..], HeaderValue::as_bytes);
    let token = sent.strip_prefix(b"Bearer ").unwrap_or(sent).trim_ascii();
    if token.is_empty() {
        return Err(no_token(
            "the Authorization header is missing or empty; it must hold the content of the file \
             that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names",
        ));
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(no_token("the token is longer than 16 kB"));
    }
    Ok(token)
}

/// A copy of a token to verify.
fn read_token(token: &[u8]) -> Result<Zeroizing<String>, ErrorAnswer> {
    let text = str::from_utf8(token).ok().filter(|text| text.is_ascii());
    let text = text.ok_or_else(|| no_token("the Authorization header is not a token"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn refused(outcome: &'static str, error: ErrorAnswer) -> Response {
    tracing::debug!(outcome, status = error.status, "refused");
    let status = StatusCode::from_u16(error.status);
    let status = status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = respond(status, error.body.into());
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allow = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn respond(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
