//! Bodies of 6 MiB that are sent all but their last byte.

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
use podrole_webhook::MAX_BODY_BYTES;
use tokio::{io::AsyncWriteExt as _, task::JoinSet, time::sleep};

use crate::{client, program::Program};

/// The limit that the chart sets.
const CHART_LIMIT: u64 = 256 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;

/// All but the last byte of a body; then nothing.
struct Unfinished(usize);

impl Body for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static SPACES: [u8; CHUNK] = [b' '; CHUNK];
        let length = self.0.min(CHUNK);
        if length == 0 {
            return Poll::Pending;
        }
        self.0 -= length;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&SPACES[..length])))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.0 + 1).unwrap())
    }
}

/// Honest reviews are answered until the attack is over, and then the memory is looked at.
async fn survives(program: &Program, mut attack: JoinSet<()>) {
    let mut answered = 0;
    while !attack.is_empty() {
        client::on_new_connections(program, 5).await.unwrap();
        answered += 5;
        while attack.try_join_next().is_some() {}
        sleep(Duration::from_millis(20)).await;
    }
    client::on_new_connections(program, 5).await.unwrap();
    assert!(!program.process.has_ended(), "{}", program.process.log());
    let peak = program.process.peak_memory().unwrap();
    println!("{answered} reviews meanwhile, {} MiB at most", peak / 1024 / 1024);
    assert!(peak < CHART_LIMIT, "{} MiB", peak / 1024 / 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_on_many_connections_need_less_memory_than_the_chart_allows() {
    let program = Program::start().await.unwrap();
    let mut attack = JoinSet::new();
    for _ in 0..45 {
        let (address, tls) = (program.reviews, program.tls("http/1.1"));
        attack.spawn(async move {
            let Ok(mut stream) = client::connect(address, tls).await else { return };
            let head = format!(
                "POST /mutate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                 content-length: {MAX_BODY_BYTES}\r\n\r\n"
            );
            let mut sent = stream.write_all(head.as_bytes()).await;
            for _ in 1..MAX_BODY_BYTES / CHUNK {
                sent = sent.and(stream.write_all(&[b' '; CHUNK]).await);
                if sent.is_err() {
                    return;
                }
            }
            let _ = stream.write_all(&[b' '; CHUNK - 1]).await;
            sleep(Duration::from_secs(2)).await;
        });
    }
    survives(&program, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_on_one_http2_connection_need_less_memory_than_the_chart_allows() {
    let program = Program::start().await.unwrap();
    let stream = client::connect(program.reviews, program.tls("h2")).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, driver) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(driver);
    let mut attack = JoinSet::new();
    for _ in 0..80 {
        let mut sender = sender.clone();
        attack.spawn(async move {
            let request = Request::post("https://127.0.0.1/mutate")
                .header("content-type", "application/json")
                .body(Unfinished(MAX_BODY_BYTES - 1))
                .unwrap();
            let answer = sender.send_request(request);
            let _ = tokio::time::timeout(Duration::from_secs(6), answer).await;
        });
    }
    survives(&program, attack).await;
}
