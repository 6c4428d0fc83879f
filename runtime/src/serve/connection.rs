//! One connection, from its first byte to its close.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use hyper::{
    Request, Response, Version,
    body::{Body as _, Incoming},
    header::{CONNECTION, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    answerer::{Answerer, Began, ClientCertificate, ForEveryone},
    head_clock::{HeadClock, TimedStream},
    in_flight::{GivenUp, InFlight, RequestBody, Requests},
    limits::Limits,
    seating::Seat,
};

/// How long a connection that was accepted before the shutdown may take to send its first request.
const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(1);
/// What may arrive of one HTTP/2 request, and of all on one connection, before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Settings and state that all connections of a listener share.
pub(super) struct Connection<A> {
    pub(super) http: Builder<TokioExecutor>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    pub(super) requests: Requests,
    pub(super) answerer: A,
    pub(super) draining: Draining,
}

/// The other side of a connection.
#[derive(Clone, Copy)]
struct Client {
    peer: SocketAddr,
    has_certificate: bool,
}

/// Whether the server is draining. Each request reads the flag, so it is an atomic: a
/// `CancellationToken` takes a lock.
#[derive(Default)]
pub(super) struct Draining {
    begun: Arc<AtomicBool>,
    token: CancellationToken,
}

impl Draining {
    pub(super) fn begin(&self) {
        self.begun.store(true, SeqCst);
        self.token.cancel();
    }
}

/// Whether a connection has had its first request. Later requests only read the flag.
#[derive(Default)]
struct FirstRequest {
    arrived: AtomicBool,
    token: CancellationToken,
}

impl FirstRequest {
    fn arrive(&self) {
        if !self.arrived.load(SeqCst) {
            self.arrived.store(true, SeqCst);
            self.token.cancel();
        }
    }
}

/// Configures hyper. Without TLS there is no ALPN to negotiate HTTP/2, so only HTTP/1 is served.
pub(super) fn http(limits: Limits, tls: bool) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_buf_size(limits.head_bytes.max(8192));
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle)
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    if tls { http } else { http.http1_only() }
}

impl<A: Answerer> Connection<A> {
    pub(super) async fn serve(&self, stream: Arc<TcpStream>, peer: SocketAddr, seat: &Arc<Seat>) {
        let patience = self.tls.as_ref().map_or(self.limits.idle, |_| seat.handshake());
        let deadline = Instant::now() + patience;
        let Some(stream) = self.first_byte(stream, deadline, peer, seat).await else { return };
        self.boxed(stream, deadline, peer, seat).await;
    }

    /// What follows the first byte, as a value of its own on the heap: otherwise each silent
    /// connection would reserve what TLS and HTTP need.
    fn boxed<'a>(
        &'a self,
        stream: TcpStream,
        deadline: Instant,
        peer: SocketAddr,
        seat: &'a Arc<Seat>,
    ) -> Pin<Box<impl Future<Output = ()> + Send + 'a>> {
        Box::pin(self.converse(stream, deadline, peer, seat))
    }

    async fn converse(
        &self,
        stream: TcpStream,
        deadline: Instant,
        peer: SocketAddr,
        seat: &Arc<Seat>,
    ) {
        let Some(tls) = &self.tls else {
            seat.open();
            let client = Client { peer, has_certificate: false };
            return self.http(stream, Some(Arc::new(HeadClock::new())), client, seat).await;
        };
        let handshake = tokio::select! {
            handshake = timeout_at(deadline, tls.accept(stream)) => handshake,
            () = seat.evicted() => {
                tracing::debug!(%peer, "closed a connection in its TLS handshake for a new one");
                return;
            }
        };
        match handshake {
            Ok(Ok(stream)) => {
                seat.open();
                let session = stream.get_ref().1;
                let http2 = session.alpn_protocol() == Some(b"h2");
                let client =
                    Client { peer, has_certificate: session.peer_certificates().is_some() };
                let clock = (!http2).then(|| Arc::new(HeadClock::new()));
                self.http(stream, clock, client, seat).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "could not complete the TLS handshake");
            }
            Err(_) => tracing::debug!(%peer, "the TLS handshake timed out"),
        }
    }

    /// Waits for the first byte. A silent connection costs its socket and nothing else.
    async fn first_byte(
        &self,
        stream: Arc<TcpStream>,
        deadline: Instant,
        peer: SocketAddr,
        seat: &Seat,
    ) -> Option<TcpStream> {
        let drained = async {
            self.draining.token.cancelled().await;
            tokio::time::sleep(FIRST_REQUEST_GRACE).await;
        };
        let mut byte = [0; 1];
        tokio::select! {
            biased;
            // tokio takes a new socket for readable until a read has failed, so `readable()` would
            // return at once.
            peeked = timeout_at(deadline, stream.peek(&mut byte)) => {
                if !matches!(peeked, Ok(Ok(1..))) {
                    tracing::debug!(%peer, "closed a connection that sent nothing");
                    return None;
                }
            }
            () = seat.evicted() => {
                // A reset leaves nothing behind in the kernel. There is nothing to lose.
                let _ = stream.set_zero_linger();
                tracing::debug!(%peer, "closed a silent connection for a new one");
                return None;
            }
            () = drained => return None,
        }
        seat.begun(stream)
    }

    async fn http<S>(
        &self,
        stream: S,
        clock: Option<Arc<HeadClock>>,
        client: Client,
        seat: &Arc<Seat>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (first, peer) = (Arc::new(FirstRequest::default()), client.peer);
        let (first_request, timed, seat_of_requests) =
            (Arc::clone(&first), clock.clone(), Arc::clone(seat));
        let service = service_fn(move |request: Request<Incoming>| {
            first_request.arrive();
            self.answer(request, client, &seat_of_requests, timed.clone())
        });
        let stream = TokioIo::new(TimedStream::new(stream, clock.clone()));
        let connection = self.http.serve_connection(stream, service);
        let mut connection = std::pin::pin!(connection);
        // A client accepted just before the shutdown has a request under way, which a close would
        // reset.
        let shutdown = async {
            self.draining.token.cancelled().await;
            let _ = timeout(FIRST_REQUEST_GRACE, first.token.cancelled()).await;
        };
        // hyper has no timeout for the first byte of a connection.
        let no_request = async {
            if timeout(self.limits.idle, first.token.cancelled()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        let slow_head = async {
            match &clock {
                Some(clock) => clock.overdue(self.limits.head).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = seat.evicted() => {
                tracing::debug!(%peer, "closed a connection for a new one");
                return;
            }
            () = no_request => {
                tracing::debug!(%peer, "closed a connection that sent no request");
                return;
            }
            () = slow_head => {
                tracing::debug!(%peer, "closed a connection that sent its request too slowly");
                return;
            }
            () = shutdown => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "the connection failed");
        }
    }

    /// Answers one request, or gives it up if its memory is needed for others.
    fn answer(
        &self,
        request: Request<Incoming>,
        client: Client,
        seat: &Arc<Seat>,
        clock: Option<Arc<HeadClock>>,
    ) -> impl Future<Output = Result<Response<A::Body>, GivenUp>> + Send + use<A> {
        let began = clock.as_ref().map_or_else(Instant::now, |clock| clock.complete());
        let http1 = request.version() < Version::HTTP_2;
        let draining = Arc::clone(&self.draining.begun);
        let (head, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let in_flight = self.requests.begin(seat, &head.uri, &head.headers, has_body, clock);
        let in_flight = Arc::new(in_flight);
        let body = RequestBody::new(body, Arc::clone(&in_flight));
        let mut request = Request::from_parts(head, body);
        if has_body {
            request.extensions_mut().insert(Began(began));
        }
        if client.has_certificate {
            request.extensions_mut().insert(ClientCertificate);
        }
        let answer = self.answerer.answer(request, client.peer);
        async move {
            let mut answer = answer_or_give_up(answer, &in_flight).await?;
            if answer.status().is_success() && answer.extensions().get::<ForEveryone>().is_none() {
                in_flight.answered();
            }
            drop(in_flight);
            if http1 && draining.load(SeqCst) {
                // The client opens a new connection for its next request, so that none is
                // under way when we close this one.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        }
    }
}

async fn answer_or_give_up<B>(
    answer: impl Future<Output = Response<B>>,
    in_flight: &InFlight,
) -> Result<Response<B>, GivenUp> {
    tokio::select! {
        biased;
        answer = answer => Ok(answer),
        () = in_flight.given_up() => Err(GivenUp),
    }
}
