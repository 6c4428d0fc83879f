//! Bodies that are sent all but their last byte, over a connection that is there.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Request,
    body::{Body, Bytes, Frame, SizeHint},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    task::JoinSet,
    time::{sleep, timeout},
};

const CHUNK: usize = 64 * 1024;
static SPACES: [u8; CHUNK] = [b' '; CHUNK];

/// Sends all but the last byte of one HTTP/1.1 body of `length` bytes, and waits for two seconds.
pub async fn http1(mut stream: impl AsyncWrite + Unpin, length: usize) {
    let head = format!(
        "POST /mutate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let mut left = length.saturating_sub(1);
    while left > 0 {
        let part = left.min(CHUNK);
        if stream.write_all(&SPACES[..part]).await.is_err() {
            return;
        }
        left -= part;
    }
    sleep(Duration::from_secs(2)).await;
}

/// Sends `streams` such bodies at once on one HTTP/2 connection, each for at most six seconds.
///
/// # Errors
/// If the connection cannot begin.
pub async fn http2<S>(stream: S, streams: usize, length: usize) -> anyhow::Result<JoinSet<()>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    let mut attack = JoinSet::new();
    for _ in 0..streams {
        let mut sender = sender.clone();
        let request = Request::post("https://127.0.0.1/mutate")
            .header("content-type", "application/json")
            .body(Unfinished(length.saturating_sub(1)))?;
        attack.spawn(async move {
            let _ = timeout(Duration::from_secs(6), sender.send_request(request)).await;
        });
    }
    Ok(attack)
}

/// So many bytes, and then nothing, though one more was promised.
struct Unfinished(usize);

impl Body for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.0.min(CHUNK);
        if length == 0 {
            return Poll::Pending;
        }
        self.0 -= length;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&SPACES[..length])))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.0).unwrap_or(u64::MAX).saturating_add(1))
    }
}
