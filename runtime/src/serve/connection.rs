//! One connection, from its handshake to its end.

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

use super::{Answerer, Limits, seats::Seat};

/// A connection that is new when the end comes still gets its first request answered.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// What every connection of a listener shares.
pub(super) struct Connection<A> {
    pub(super) http: Builder<TokioExecutor>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) handshake: Duration,
    pub(super) idle: Duration,
    pub(super) answerer: A,
    pub(super) ending: Ending,
}

/// Whether the end has begun. Each request looks, so looking takes no lock.
#[derive(Default)]
pub(super) struct Ending {
    begun: Arc<AtomicBool>,
    told: CancellationToken,
}

impl Ending {
    pub(super) fn begin(&self) {
        self.begun.store(true, SeqCst);
        self.told.cancel();
    }
}

/// Whether a connection had its first request.
#[derive(Default)]
struct First {
    came: AtomicBool,
    told: CancellationToken,
}

impl First {
    fn comes(&self) {
        if !self.came.load(SeqCst) {
            self.came.store(true, SeqCst);
            self.told.cancel();
        }
    }
}

/// How HTTP is spoken. HTTP/2 is agreed upon in a TLS handshake; without one there is none.
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
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr, seat: &Arc<Seat>) {
        let Some(tls) = &self.tls else {
            return self.http(stream, peer, seat).await;
        };
        match timeout(self.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.http(stream, peer, seat).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn http<S>(&self, stream: S, peer: SocketAddr, seat: &Arc<Seat>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (answerer, ending) = (self.answerer.clone(), Arc::clone(&self.ending.begun));
        let first = Arc::new(First::default());
        let (begun, own) = (Arc::clone(&first), Arc::clone(seat));
        let service = service_fn(move |request: Request<Incoming>| {
            begun.comes();
            let work = own.work();
            let (ending, http1) = (Arc::clone(&ending), request.version() < Version::HTTP_2);
            let answer = answerer.answer(request, peer);
            async move {
                let mut answer = answer.await;
                drop(work);
                if http1 && ending.load(SeqCst) {
                    // The next request goes elsewhere, and none is on its way when we close.
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // Who was accepted a moment before the end has a request under way.
        let over = async {
            self.ending.told.cancelled().await;
            let _ = timeout(FIRST_REQUEST, first.told.cancelled()).await;
        };
        // The engine waits for a first byte without an end.
        let silence = async {
            if timeout(self.idle, first.told.cancelled()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = seat.is_needed() => {
                tracing::debug!(%peer, "a connection that rested makes room");
                return;
            }
            () = silence => {
                tracing::debug!(%peer, "a connection without a request");
                return;
            }
            () = over => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}
