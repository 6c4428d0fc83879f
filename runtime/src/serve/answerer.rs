//! The trait that answers requests: implemented by axum's `Router`, and by leaner types for a hot
//! route.

use std::{convert::Infallible, error::Error, net::SocketAddr};

use axum::{Router, body::Body};
use hyper::{
    Request, Response,
    body::{Body as HttpBody, Bytes},
};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::in_flight::RequestBody;

/// The client's address. `Router` gets it in the extensions of each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// When the first byte of a request arrived. A request with a body has it in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Began(pub Instant);

/// In the extensions of a request whose client has shown a certificate that the TLS configuration
/// accepts.
#[derive(Clone, Copy, Debug)]
pub struct ClientCertificate;

/// In the extensions of a response that every client gets: it does not put the client before
/// others when the listener is full.
#[derive(Clone, Copy, Debug)]
pub struct ForEveryone;

/// Answers requests.
pub trait Answerer: Clone + Send + Sync + 'static {
    /// The body of a response.
    type Body: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Answers `request` from `peer`. It cannot fail: errors are responses.
    fn answer(
        &self,
        request: Request<RequestBody>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send + use<Self>;
}

impl Answerer for Router {
    type Body = Body;

    fn answer(
        &self,
        mut request: Request<RequestBody>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        request.extensions_mut().insert(Peer(peer));
        let answer = self.clone().oneshot(request.map(Body::new));
        async { answer.await.unwrap_or_else(|never: Infallible| match never {}) }
    }
}
