//! When the head of an HTTP/1.1 request began to arrive. hyper's own timeout begins when the
//! connection turns idle, so it cannot tell a slow head from a quiet client.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, sleep_until},
};

/// No head is arriving.
const NONE: u64 = u64::MAX;

/// The clock of one connection.
pub(super) struct HeadClock {
    start: Instant,
    /// When the head that is arriving began, in milliseconds since `start`; or [`NONE`].
    began: AtomicU64,
    /// How many requests are in flight: what arrives meanwhile is a body.
    in_flight: AtomicU32,
    arriving: Notify,
}

impl HeadClock {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            began: AtomicU64::new(NONE),
            in_flight: AtomicU32::new(0),
            arriving: Notify::new(),
        }
    }

    fn bytes_arrived(&self) {
        if self.in_flight.load(Relaxed) == 0 && self.began.load(Relaxed) == NONE {
            let began = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(0);
            self.began.store(began, Relaxed);
            self.arriving.notify_one();
        }
    }

    /// A head is complete. Returns when its first byte arrived.
    pub(super) fn complete(&self) -> Instant {
        self.in_flight.fetch_add(1, Relaxed);
        match self.began.swap(NONE, Relaxed) {
            NONE => Instant::now(),
            began => self.start + Duration::from_millis(began),
        }
    }

    /// A request has ended.
    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Completes when a head has been arriving for longer than `limit`.
    pub(super) async fn overdue(&self, limit: Duration) {
        loop {
            self.arriving.notified().await;
            let began = self.began.load(Relaxed);
            if began == NONE {
                continue;
            }
            sleep_until(self.start + Duration::from_millis(began) + limit).await;
            if self.began.load(Relaxed) == began {
                return;
            }
        }
    }
}

/// A stream that reports to a clock when bytes arrive; without one it only passes them on.
pub(super) struct TimedStream<S> {
    stream: S,
    clock: Option<Arc<HeadClock>>,
}

impl<S> TimedStream<S> {
    pub(super) fn new(stream: S, clock: Option<Arc<HeadClock>>) -> Self {
        Self { stream, clock }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(clock) = self.clock.as_ref().filter(|_| buffer.filled().len() > before) {
            clock.bytes_arrived();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
