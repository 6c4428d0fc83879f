//! `GET /v1/credentials`: what is let in, and how an answer leaves.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{
        ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING,
    },
};
use podrole_identity::CREDENTIALS_PATH;
use podrole_runtime::serve::Peer;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::{
    agent::Agent,
    answer::{self, ErrorAnswer},
    refusal::Refusal,
    token::MAX_TOKEN_BYTES,
};

/// Ruby, C++ and PHP give up after 1 s, so every answer has left after 0.8 s.
const DEADLINE: Duration = Duration::from_millis(750);

/// The names under which the agent may be asked. A foreign name in `Host` is a browser that was
/// led here, not an SDK.
#[derive(Clone, Debug)]
pub struct Hosts {
    addresses: Vec<IpAddr>,
    loopback: bool,
}

impl Hosts {
    /// The addresses that are bound, EKS's two, and every loopback name if one of them is loopback.
    #[must_use]
    pub fn bound_to(addresses: &[IpAddr]) -> Self {
        let eks =
            [IpAddr::from([169, 254, 170, 23]), IpAddr::from([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23])];
        Self {
            addresses: addresses.iter().copied().chain(eks).collect(),
            loopback: addresses.iter().any(IpAddr::is_loopback),
        }
    }

    /// Whether a `Host` header (with or without a port) names the agent.
    #[must_use]
    pub fn allow(&self, host: &str) -> bool {
        let name = without_port(host);
        if self.loopback && name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        name.parse().is_ok_and(|address: IpAddr| {
            self.addresses.contains(&address) || (self.loopback && address.is_loopback())
        })
    }
}

fn without_port(host: &str) -> &str {
    if let Some((name, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return name;
    }
    match host.split_once(':') {
        // One colon divides a port; several are an IPv6 address without its brackets.
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

/// The agent's only route, and JSON for everything else.
pub fn router(agent: Arc<Agent>) -> Router {
    Router::new().fallback(serve).with_state(agent)
}

async fn serve(State(agent): State<Arc<Agent>>, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, _) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let (outcome, mut response) =
        match admit(&parts.method, &parts.uri, &parts.headers, agent.hosts()) {
            Ok(token) => answer_to(&agent, &token, peer).await,
            Err(error) => ("http", refused("http", error)),
        };
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        // Where two may disagree on where a request ends, there is no next one.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    agent.metrics().request(outcome, begun.elapsed());
    response
}

async fn answer_to(agent: &Agent, token: &str, peer: Option<IpAddr>) -> (&'static str, Response) {
    let asked = timeout(DEADLINE, agent.credentials(token, peer)).await;
    match asked.unwrap_or(Err(Refusal::StillFetching)) {
        Ok(body) => ("ok", respond(StatusCode::OK, Body::from(body))),
        Err(refusal) => {
            let outcome = refusal.outcome();
            (outcome, refused(outcome, answer::refusal(&refusal)))
        }
    }
}

/// The token of a request that may be looked at.
fn admit(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    hosts: &Hosts,
) -> Result<Zeroizing<String>, ErrorAnswer> {
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
    read_token(headers)
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
    let fault = || answer::error(403, "WrongHost", message);
    seen.then_some(()).ok_or_else(fault)
}

fn read_token(headers: &HeaderMap) -> Result<Zeroizing<String>, ErrorAnswer> {
    let fault = |message| answer::error(400, "InvalidToken", message);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(fault("send one Authorization header"));
    }
    let text = first.map_or(Ok(""), HeaderValue::to_str);
    let text = text.map_err(|_| fault("the Authorization header is not a token"))?;
    let token = text.strip_prefix("Bearer ").unwrap_or(text).trim();
    if token.is_empty() {
        return Err(fault(
            "the Authorization header is missing or empty; it must hold the content of the file \
             that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names",
        ));
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(fault("the token is longer than 16 kB"));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

fn refused(outcome: &'static str, error: ErrorAnswer) -> Response {
    tracing::debug!(outcome, status = error.status, "refused");
    let status = StatusCode::from_u16(error.status);
    let status = status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = respond(status, Body::from(error.body));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allow = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn respond(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
