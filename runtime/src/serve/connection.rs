//! One connection, from its TLS handshake to its close.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use hyper::{
    Request, Version,
    body::Incoming,
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
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Answerer, Limits, idle_connections::TrackedConnection};

/// How long a connection that was accepted before the shutdown may take to send its first request.
const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(1);

/// Settings and state that all connections of a listener share.
pub(super) struct Connection<A> {
    pub(super) http: Builder<TokioExecutor>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) handshake: Duration,
    pub(super) idle: Duration,
    pub(super) answerer: A,
    pub(super) draining: Draining,
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
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    if tls { http } else { http.http1_only() }
}

impl<A: Answerer> Connection<A> {
    pub(super) async fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        tracked: &Arc<TrackedConnection>,
    ) {
        let Some(tls) = &self.tls else {
            return self.http(stream, peer, tracked).await;
        };
        match timeout(self.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.http(stream, peer, tracked).await,
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "could not complete the TLS handshake");
            }
            Err(_) => tracing::debug!(%peer, "the TLS handshake timed out"),
        }
    }

    async fn http<S>(&self, stream: S, peer: SocketAddr, tracked: &Arc<TrackedConnection>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (answerer, draining) = (self.answerer.clone(), Arc::clone(&self.draining.begun));
        let first = Arc::new(FirstRequest::default());
        let (first_request, connection) = (Arc::clone(&first), Arc::clone(tracked));
        let service = service_fn(move |request: Request<Incoming>| {
            first_request.arrive();
            let active = connection.begin_request();
            let (draining, http1) = (Arc::clone(&draining), request.version() < Version::HTTP_2);
            let answer = answerer.answer(request, peer);
            async move {
                let mut answer = answer.await;
                drop(active);
                if http1 && draining.load(SeqCst) {
                    // The client opens a new connection for its next request, so that none is
                    // under way when we close this one.
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // A client accepted just before the shutdown has a request under way, which a close would
        // reset.
        let shutdown = async {
            self.draining.token.cancelled().await;
            let _ = timeout(FIRST_REQUEST_GRACE, first.token.cancelled()).await;
        };
        // hyper has no timeout for the first byte of a connection.
        let no_request = async {
            if timeout(self.idle, first.token.cancelled()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = tracked.should_close() => {
                tracing::debug!(%peer, "closed an idle connection for a new one");
                return;
            }
            () = no_request => {
                tracing::debug!(%peer, "closed a connection that sent no request");
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
}
