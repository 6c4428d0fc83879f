//! What answers requests: axum's routes, or something leaner for one route that is asked often.

use std::{convert::Infallible, error::Error, net::SocketAddr};

use axum::{Router, body::Body};
use hyper::{
    Request, Response,
    body::{Body as HttpBody, Bytes, Incoming},
};
use tower::ServiceExt as _;

/// The address at the other end of a request's connection; in each request's extensions where
/// routes answer.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Answers requests.
pub trait Answerer: Clone + Send + Sync + 'static {
    /// What an answer's body is.
    type Body: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// The answer to `request`, which came from `peer`.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send + use<Self>;
}

impl Answerer for Router {
    type Body = Body;

    fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        request.extensions_mut().insert(Peer(peer));
        let answer = self.clone().oneshot(request.map(Body::new));
        async { answer.await.unwrap_or_else(|never: Infallible| match never {}) }
    }
}
