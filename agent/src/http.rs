//! `GET /v1/credentials`: which requests are accepted, and how they are answered.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
};
use futures::future::{BoxFuture, Either, FutureExt as _, Ready, ready};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::{
        ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING,
        USER_AGENT,
    },
};
use http_body_util::Full;
use podrole_identity::CREDENTIALS_PATH;
use podrole_runtime::{
    clock::now,
    local_address::is_local,
    serve::{Answerer, Limits, Peer, RequestBody},
};
use tokio::time::Instant;

use crate::{
    agent::Agent,
    answer::{self, ErrorAnswer},
    bearer_token::{BearerToken, BearerTokenError, PresentedToken},
    hosts::Hosts,
    metrics::OK,
    old_sdk,
    refusal::Refusal,
};

type Response = http::Response<Full<Bytes>>;

/// The longest request head that is accepted, in bytes.
const MAX_HEAD_BYTES: usize = 24 * 1024;
/// Answers requests: credentials on one path, and a JSON error for everything else.
#[derive(Clone)]
pub struct CredentialsService {
    agent: Arc<Agent>,
}

/// An answer that is ready, or one that still has to be fetched.
type Answered = Either<Ready<Response>, BoxFuture<'static, Response>>;

impl CredentialsService {
    /// The service of this agent.
    #[must_use]
    pub fn of(agent: &Arc<Agent>) -> Self {
        Self { agent: Arc::clone(agent) }
    }

    fn answer_to<B>(&self, request: &Request<B>, peer: Option<SocketAddr>) -> Answered {
        let answered = self.find_answer(request, peer);
        if !request.headers().contains_key(TRANSFER_ENCODING) {
            return answered;
        }
        // The agent and a proxy could disagree on where a chunked request ends, so that a part of
        // it would be read as the next request: the connection ends here.
        let close = |mut response: Response| {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        };
        answered.map(close).boxed().right_future()
    }

    fn find_answer<B>(&self, request: &Request<B>, peer: Option<SocketAddr>) -> Answered {
        let begun = Instant::now();
        let token = match admit(request, self.agent.hosts()) {
            Ok(token) => token,
            Err(error) => {
                self.agent.metrics().request("http", begun.elapsed());
                return ready(refused("http", error)).left_future();
            }
        };
        if let Some(body) = self.agent.cached_answer(&token, peer.map(|peer| peer.ip())) {
            self.agent.metrics().request(OK, begun.elapsed());
            return ready(respond(StatusCode::OK, body)).left_future();
        }
        if peer.is_some_and(|peer| self.agent.refusals().is_reached(peer.ip(), now())) {
            let (refusal, metrics) = (Refusal::TooManyRequests, self.agent.metrics());
            metrics.request(refusal.outcome(), begun.elapsed());
            let answer = refused(refusal.outcome(), answer::refusal(&refusal));
            return ready(answer).left_future();
        }
        fetch(Arc::clone(&self.agent), token.to_bearer(), peer, begun).boxed().right_future()
    }
}

impl Answerer for CredentialsService {
    type Body = Full<Bytes>;

    fn answer(
        &self,
        request: Request<RequestBody>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response> + Send + use<> {
        self.answer_to(&request, Some(peer))
    }
}

/// The limits of the port that serves credentials.
#[must_use]
pub fn limits(connections_per_peer: usize) -> Limits {
    Limits {
        // A pod may have a thousand workers that connect at once; a silent one costs 2.5 kB,
        // and up to 22 kB once a byte has come (both ends, in a debug build).
        connections: 5120,
        // More than is accepted, so that a head that is a little too long gets its error in JSON.
        head_bytes: 32 * 1024,
        // An SDK gives up after a few seconds.
        head: Duration::from_secs(5),
        connections_per_peer,
        reserved_connections: 1024,
        // A pod on the node's network may bind any of the node's addresses.
        machine_is_one_peer: true,
        // No request needs a body.
        request_bytes: 4 * 1024 * 1024,
        ..Limits::default()
    }
}

/// The service as a router, to merge with others.
pub fn router(agent: Arc<Agent>) -> Router {
    let service = CredentialsService { agent };
    Router::new().fallback(async move |request: axum::extract::Request| {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        service.answer_to(&request, peer).await.map(Body::new)
    })
}

async fn fetch(
    agent: Arc<Agent>,
    token: BearerToken,
    peer: Option<SocketAddr>,
    begun: Instant,
) -> Response {
    let (outcome, response) = match agent.credentials(&token, peer).await {
        Ok(body) => (OK, respond(StatusCode::OK, body)),
        Err(refusal) => {
            if let Some(peer) = peer {
                agent.refusals().count(peer.ip(), now(), &refusal, is_local);
            }
            let outcome = refusal.outcome();
            (outcome, refused(outcome, answer::refusal(&refusal)))
        }
    };
    agent.metrics().request(outcome, begun.elapsed());
    response
}

/// The token of a request that has the right form.
fn admit<'a, B>(request: &'a Request<B>, hosts: &Hosts) -> Result<PresentedToken<'a>, ErrorAnswer> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if head_bytes(uri, headers) > MAX_HEAD_BYTES {
        return Err(answer::error(
            431,
            "RequestTooLarge",
            "the request's head is larger than 24 kB; send fewer or shorter headers",
        ));
    }
    if uri.path() != CREDENTIALS_PATH {
        let message = format!("there is nothing at this path; ask for {CREDENTIALS_PATH}");
        return Err(answer::error(404, "NotFound", &message));
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(answer::error(
            405,
            "MethodNotAllowed",
            "this method is not supported; use GET",
        ));
    }
    if headers.get_all(HOST).iter().nth(1).is_some() {
        return Err(answer::error(
            400,
            "InvalidRequest",
            "the request has several Host headers; send one",
        ));
    }
    check_host(uri, headers, hosts)?;
    read_token(headers)
}

/// The size of the request's head without optional whitespace.
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
    let message = "the Host header does not name this agent; use 169.254.170.23, [fd00:ec2::23] \
                   or the address that the agent is bound to";
    let error = || answer::error(403, "WrongHost", message);
    seen.then_some(()).ok_or_else(error)
}

fn read_token(headers: &HeaderMap) -> Result<PresentedToken<'_>, ErrorAnswer> {
    let invalid = |message: &str| answer::error(400, "InvalidToken", message);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(invalid("the request has several Authorization headers; send one"));
    }
    let sent = first.map_or(&[][..], HeaderValue::as_bytes);
    let token = sent.strip_prefix(b"Bearer ").unwrap_or(sent).trim_ascii();
    PresentedToken::read(token).map_err(|error| {
        let user_agent = headers.get(USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
        let old =
            (error == BearerTokenError::Empty).then(|| old_sdk::too_old(user_agent)).flatten();
        match old {
            Some(old) => invalid(&format!("the Authorization header is missing: {old}")),
            None => invalid(&error.to_string()),
        }
    })
}

fn refused(outcome: &'static str, error: ErrorAnswer) -> Response {
    tracing::debug!(outcome, status = error.status, "request refused");
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
